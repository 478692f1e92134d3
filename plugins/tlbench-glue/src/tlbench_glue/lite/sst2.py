"""`sst2-lite`: sentiment of generated sentences with negation, contrast and intensity.

As in CheckList (Ribeiro et al. 2020), each frame tests one ability: to find the scope of a negation, to recognise which
of two contrasting clauses carries the verdict, to interpret expressions of degree or unreal conditionals, or to
recognise sentiment without evaluative words. Scores are not GLUE scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tlbench import Classes
from tlbench_glue.lite.draw import Frame, Pair
from tlbench_glue.lite.lexicon import Words, sentence
from tlbench_glue.lite.lite_tasks import LiteTask


def _pair(positive: str, negative: str) -> Pair:
    return ((sentence(positive),), 1), ((sentence(negative),), 0)


def _square(w: Words, keeping: Sequence[str], reversing: Sequence[str]) -> list[Pair]:
    """Returns a pair from a template that keeps an adjective's polarity, and a pair from one that reverses it."""
    it, _, good, bad = w.verdict()
    # Both pairs have both adjectives, once on each side, so that neither predicts the label.
    keep, turn = w.pick(keeping), w.pick(reversing)
    return [
        _pair(keep.format(it=it, how=good), keep.format(it=it, how=bad)),
        _pair(turn.format(it=it, how=bad), turn.format(it=it, how=good)),
    ]


def _negation(w: Words) -> list[Pair]:
    return _square(
        w,
        ["the {it} was {how}", "my {it} was really {how}", "it was a {it} that was truly {how}", "this {it} is {how}"],
        [
            "the {it} was not {how}",
            "this {it} is not {how} at all",
            "my {it} was never {how}",
            "there was nothing {how} about the {it}",
        ],
    )


def _negation_far(w: Words) -> list[Pair]:
    """Test-only frame: the negation is far from the adjective, or is not the word "not"."""
    return _square(
        w,
        [
            "there is no doubt that the {it} was {how}",
            "nobody could have a more {how} {it}",
            "everyone would agree that the {it} was {how}",
        ],
        [
            "nobody could call this {it} {how}",
            "I do not think that the {it} was {how}",
            "neither the {it} nor anything about it was {how}",
        ],
    )


def _contrast(w: Words) -> list[Pair]:
    it, part, good, bad = w.verdict()
    # Slot y is always the verdict that counts, whichever clause comes first.
    template = w.pick(
        [
            "the {part} was {x}, but the {it} was {y}",
            "although the {part} was {x}, the {it} was {y}",
            "the {it} was {y} even though the {part} was {x}",
            "the {it} was {x} at first, but then it was {y}",
        ]
    )
    return [
        _pair(template.format(it=it, part=part, x=bad, y=good), template.format(it=it, part=part, x=good, y=bad)),
    ]


def _contrast_report(w: Words) -> list[Pair]:
    """Test-only frame: the label is the writer's own opinion, not that of another person."""
    it, part, good, bad = w.verdict()
    template = w.pick(
        [
            "to {who} the {it} was {x}, but to me it was {y}",
            "the {it} was {y}, whatever {who} heard about its {x} {part}",
        ]
    )
    who = w.person().name
    return [
        _pair(
            template.format(who=who, it=it, part=part, x=bad, y=good),
            template.format(who=who, it=it, part=part, x=good, y=bad),
        )
    ]


def _intensity(w: Words) -> list[Pair]:
    return _square(
        w,
        [
            "the {it} could not have been more {how}",
            "the {it} was as {how} as can be",
            "the {it} was nothing if not {how}",
        ],
        ["the {it} could not have been less {how}", "the {it} was anything but {how}", "the {it} was far from {how}"],
    )


def _intensity_degree(w: Words) -> list[Pair]:
    """Test-only frame: expressions of degree that do not occur in the training split."""
    return _square(
        w,
        ["rarely has a {it} been so {how}", "the {it} was every bit as {how} as I had dreamt"],
        ["the {it} was hardly {how}", "the {it} was by no means {how}"],
    )


def _unreal(w: Words) -> list[Pair]:
    return _square(
        w,
        ["it could have been {how}, and the {it} was", "the {it} was as {how} as it could have been"],
        ["the {it} could have been {how}, but it was not", "this might have been one {how} {it}, but it was not"],
    )


def _implied(w: Words) -> list[Pair]:
    (a, b), (c, d) = w.implied()
    # Single clauses are few, and would be exhausted soon; two together give many more examples.
    if w.chance(0.3):
        return [_pair(a, b)]
    return [_pair(f"{a} and {c}", f"{b} and {d}")]


@dataclass(frozen=True)
class Sst2Lite(LiteTask):
    """Sentiment of generated sentences, with SST-2's labels but not its data.

    In the manner of Ribeiro et al. 2020, arXiv:2005.04118.
    """

    name = "sst2-lite"
    output = Classes(("negative", "positive"))
    metrics = ("accuracy", "f1")
    description = "Generated verdicts: negation, contrast, intensity, unreal conditionals, implied praise and blame"
    source = "in the manner of CheckList, Ribeiro et al. 2020, arXiv:2005.04118; shape of SST-2, Socher et al. 2013"
    frames = (
        Frame("negation", _negation),
        Frame("negation", _negation_far, new=True),
        Frame("contrast", _contrast),
        Frame("contrast", _contrast_report, new=True),
        Frame("intensity", _intensity),
        Frame("intensity", _intensity_degree, new=True),
        Frame("unreal", _unreal),
        Frame("implied", _implied),
    )
