"""`sst2-lite`: sentiment of generated sentences with negation, contrast and intensity.

As in CheckList (Ribeiro et al. 2020), each frame tests one ability: to find the scope of a negation, to recognise which
of two contrasting clauses carries the verdict, to interpret expressions of degree or unreal conditionals, or to
recognise sentiment without evaluative words. Frames that keep an adjective's polarity are used twice as often as frames
that reverse it, so that a frozen encoder that knows what adjectives mean is above chance, and one that also reads the
negation is far above it. Train and test have no adjective in common. Scores are not GLUE scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tlbench import Classes
from tlbench_glue.lite.draw import Frame, Pair
from tlbench_glue.lite.grammar import PLACES, date, surround
from tlbench_glue.lite.lexicon import Words, article, sentence
from tlbench_glue.lite.lite_tasks import LiteTask


def _pairs(w: Words, positive: str, negative: str, dated: bool = False) -> list[Pair]:
    """Returns a positive and a negative example within the same words, which carry no sentiment."""
    good, bad = (
        sentence(text) for text in surround(w, *date(w, positive, negative, places=PLACES[:2] if dated else PLACES[:1]))
    )
    return [(((good,), 1), ((bad,), 0))]


def _verdict(w: Words, templates: Sequence[str], reversing: bool = False) -> list[Pair]:
    """Returns a pair from a template that keeps an adjective's polarity, or from one that reverses it.

    Args:
        w: Where the words come from.
        templates: Sentences with slots for the subject {it} with its determiner, for {be} and for the adjective {how}.
            {one} is the subject alone, {a_one} with "a" or "an".
        reversing: Whether the templates reverse the polarity.
    """
    it, _, good, bad = w.verdict()
    template = w.choose(*templates)
    be = w.choose("was", "is") if "{be}" in template else "was"
    the = w.choose("the", "this", "our", "their") if "{it}" in template else "the"
    up, down = (template.format(it=f"{the} {it}", one=it, a_one=article(it), be=be, how=how) for how in (good, bad))
    dated = be == "was" and "{be}" in template
    return _pairs(w, *((down, up) if reversing else (up, down)), dated=dated)


def _negation_none(w: Words) -> list[Pair]:
    return _verdict(
        w,
        [
            "{it} {be} {how}",
            "{it} {be} really {how}",
            "{it} {be} quite {how}",
            "{it} {be} very {how}",
            "it {be} {a_one} that {be} truly {how}",
            "there {be} something {how} about {it}",
            "{it} {be} {how} through and through",
            "everything about {it} {be} {how}",
        ],
    )


def _negation(w: Words) -> list[Pair]:
    return _verdict(
        w,
        [
            "{it} {be} not {how}",
            "{it} {be} not really {how}",
            "{it} {be} not {how} at all",
            "{it} {be} never {how}",
            "it {be} {a_one} that {be} not {how}",
            "there {be} nothing {how} about {it}",
            "{it} {be} never really {how}",
            "nothing about {it} {be} {how}",
        ],
        reversing=True,
    )


def _negation_none_far(w: Words) -> list[Pair]:
    """Test-only frame: words of negation that do not negate the adjective."""
    return _verdict(
        w,
        [
            "there is no doubt that {it} {be} {how}",
            "nobody could have a more {how} {one}",
            "nobody would say that {it} {be} not {how}",
            "{it} {be} {how}, and nobody told me otherwise",
            "never have I had a more {how} {one}",
            "not one of us had to be told that {it} {be} {how}",
        ],
    )


def _negation_far(w: Words) -> list[Pair]:
    """Test-only frame: the negation is far from the adjective, or is not the word "not"."""
    return _verdict(
        w,
        [
            "nobody could call {it} {how}",
            "I do not think that {it} {be} {how}",
            "neither {it} nor anything about it {be} {how}",
            "it would not be true to say that {it} {be} {how}",
            "I could not say of {it} that it {be} {how}",
            "not one of us would say that {it} {be} {how}",
        ],
        reversing=True,
    )


def _contrast(w: Words) -> list[Pair]:
    it, part, good, bad = w.verdict()
    # Slot y is always the verdict that counts, whichever clause comes first.
    template = w.choose(
        "the {part} {be} {x}, but {it} {be} {y}",
        "although the {part} {be} {x}, {it} {be} {y}",
        "{it} {be} {y} even though the {part} {be} {x}",
        "{it} {be} {y}, although the {part} {be} {x}",
        "the {part} {be} {x} and yet {it} {be} {y}",
        "{it} {be} {y}, {x} {part} or not",
        "the {part} may be {x}, but {it} {be} {y}",
        "{x} though the {part} {be}, {it} {be} {y}",
    )
    be, the = w.choose("was", "is"), w.choose("the", "this", "our", "their")
    say = {"it": f"{the} {it}", "part": part, "be": be}
    return _pairs(w, template.format(x=bad, y=good, **say), template.format(x=good, y=bad, **say))


def _contrast_report(w: Words) -> list[Pair]:
    """Test-only frame: the label is the writer's own opinion, not that of another person."""
    it, part, good, bad = w.verdict()
    template = w.choose(
        "to {who} {it} {be} {x}, but to me it {be} {y}",
        "{it} {be} {y}, whatever {who} heard about its {x} {part}",
        "{it} {be} {y} to me, if {x} to {who}",
        "{who} would call {it} {x}, but I would call it {y}",
        "whether or not {who} would call it {x}, I would call {it} {y}",
        "for me {it} {be} {y}, for {who} it {be} {x}",
    )
    be, the = w.choose("was", "is"), w.choose("the", "this", "our", "their")
    say = {"who": w.person().name, "it": f"{the} {it}", "part": part, "be": be}
    return _pairs(w, template.format(x=bad, y=good, **say), template.format(x=good, y=bad, **say))


def _intensity(w: Words) -> list[Pair]:
    return _verdict(
        w,
        [
            "{it} could not have been more {how}",
            "{it} {be} as {how} as can be",
            "{it} {be} nothing if not {how}",
            "{it} {be} so very {how}",
            "{it} {be} ever so {how}",
        ],
    )


def _intensity_low(w: Words) -> list[Pair]:
    return _verdict(
        w,
        [
            "{it} could not have been less {how}",
            "{it} {be} anything but {how}",
            "{it} {be} far from {how}",
            "{it} {be} the opposite of {how}",
            "{it} {be} the least {how} of them all",
        ],
        reversing=True,
    )


def _intensity_degree(w: Words) -> list[Pair]:
    """Test-only frame: expressions of high degree that do not occur in the training split."""
    return _verdict(
        w,
        [
            "rarely has any {one} been so {how}",
            "{it} {be} every bit as {how} as I had dreamt",
            "{it} {be} {how} beyond words",
            "{it} {be} {how} to the core",
        ],
    )


def _intensity_degree_low(w: Words) -> list[Pair]:
    """Test-only frame: expressions of low degree that do not occur in the training split."""
    return _verdict(
        w,
        [
            "{it} {be} hardly {how}",
            "{it} {be} by no means {how}",
            "{it} {be} in no way {how}",
            "{it} {be} not in the least {how}",
        ],
        reversing=True,
    )


def _real(w: Words) -> list[Pair]:
    return _verdict(
        w,
        [
            "it could have been {how}, and {it} was",
            "{it} was as {how} as it could have been",
            "{it} might have been {how}, and so it was",
            "we were told that {it} would be {how}, and it was",
            "{it} was meant to be {how}, and it was",
            "we had been told that {it} was {how}, and so it was",
            "{it} had to be {how}, and it was",
        ],
    )


def _unreal(w: Words) -> list[Pair]:
    return _verdict(
        w,
        [
            "{it} could have been {how}, but it was not",
            "{it} was meant to be {how}, but it was not",
            "if only {it} had been {how}",
            "we were told that {it} would be {how}, but it was not",
            "{it} should have been {how}, but it was not",
            "we had been told that {it} was {how}, but it was not",
            "{it} had to be {how}, but it was not",
        ],
        reversing=True,
    )


def _implied(w: Words) -> list[Pair]:
    (a, b), (c, d) = w.implied()
    # Single clauses are few, and would be exhausted soon; two together give many more examples.
    template = w.choose(
        "{0}",
        "{0} and {1}",
        "{0}, and {1}",
        "{0}; {1}",
        "{0}; also, {1}",
        "{0}; what is more, {1}",
        "{0}, and what is more, {1}",
        "{0}, and {1} too",
    )
    return _pairs(w, template.format(a, c), template.format(b, d))


@dataclass(frozen=True)
class Sst2Lite(LiteTask):
    """Sentiment of generated sentences, with SST-2's labels but not its data.

    In the manner of Ribeiro et al. 2020, arXiv:2005.04118.
    """

    name = "sst2-lite"
    version = 2
    output = Classes(("negative", "positive"))
    metrics = ("accuracy", "f1")
    description = "Generated verdicts: negation, contrast, intensity, unreal conditionals, implied praise and blame"
    source = "in the manner of CheckList, Ribeiro et al. 2020, arXiv:2005.04118; shape of SST-2, Socher et al. 2013"
    frames = (
        Frame("negation", _negation_none, weight=2),
        Frame("negation", _negation),
        Frame("negation", _negation_none_far, new=True, weight=2),
        Frame("negation", _negation_far, new=True),
        Frame("contrast", _contrast, weight=2),
        Frame("contrast", _contrast_report, new=True),
        Frame("intensity", _intensity, weight=2),
        Frame("intensity", _intensity_low),
        Frame("intensity", _intensity_degree, new=True, weight=2),
        Frame("intensity", _intensity_degree_low, new=True),
        Frame("unreal", _real, weight=2),
        Frame("unreal", _unreal),
        Frame("implied", _implied, weight=2),
    )
