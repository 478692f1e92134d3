"""Pairs of a premise and a hypothesis: what the frames of `rte-lite` share."""

from __future__ import annotations

from tlbench_glue.lite.draw import Pair
from tlbench_glue.lite.grammar import PLACES, date, determiner, surround
from tlbench_glue.lite.lexicon import Words, sentence

ENTAILMENT, NOT = 0, 1

Statements = tuple[str, str]
"""A premise and a hypothesis."""


def entailed_pairs(w: Words, *pairs: tuple[Statements, Statements], dated: bool = True) -> list[Pair]:
    """Returns pairs of examples, the first of each entailed, within words that change no truth.

    Args:
        w: Where these words come from.
        pairs: The statements of each pair.
        dated: Whether an adverbial of time, the same in premise and hypothesis, may be one of these words.
    """
    texts = date(
        w,
        *(text for pair in pairs for statements in pair for text in statements),
        places=PLACES if dated else PLACES[:1],
    )
    texts = [sentence(text) for text in surround(w, *texts)]
    rows = list(zip(texts[::2], texts[1::2], strict=True))
    return [((a, ENTAILMENT), (b, NOT)) for a, b in zip(rows[::2], rows[1::2], strict=True)]


def direction(upward: bool, narrow: str, wide: str) -> tuple[Statements, Statements]:
    """Returns narrow to wide and wide to narrow; the first is entailed if `upward`, else the second."""
    one, other = (narrow, wide), (wide, narrow)
    return (one, other) if upward else (other, one)


def somebody(w: Words) -> str:
    """Returns a person, by name or by a noun with a determiner."""
    if w.choose("name", "noun") == "name":
        return w.person().name
    return f"{determiner(w)} {w.noun('people').one}"


def two_people(w: Words, the: str = "") -> tuple[str, str]:
    """Returns two people, with the given determiner or with any."""
    the = the or determiner(w)
    a, b = (f"{the} {n.one}" for n in w.nouns("people", 2))
    return a, b
