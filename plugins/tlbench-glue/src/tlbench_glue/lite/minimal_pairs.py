"""Minimal pairs of `cola-lite`: the parts that its frames share."""

from __future__ import annotations

from tlbench_glue.lite.draw import Pair
from tlbench_glue.lite.grammar import PLACES, ask, date, surround
from tlbench_glue.lite.lexicon import Words, sentence

ENDS = ("", "", "", " again", " once more", " once again")
"""What a sentence may end with."""


def minimal_pairs(w: Words, *pairs: tuple[str, str], dated: bool = False) -> list[Pair]:
    """Returns pairs of an acceptable and an unacceptable example, within words that change nothing of it."""
    texts = [text for pair in pairs for text in pair]
    if texts[0].endswith("?"):
        texts = ask(w, *texts)
    else:
        texts = surround(w, *date(w, *texts, places=(*PLACES[:1], *PLACES) if dated else PLACES[:1]))
    rows = [(sentence(text),) for text in texts]
    return [((good, 1), (bad, 0)) for good, bad in zip(rows[::2], rows[1::2], strict=True)]


def square(w: Words, words: tuple[str, str], forms: tuple[str, str], template: str, dated: bool = False) -> list[Pair]:
    """Returns two pairs: with {x} = the first word and with the second, each with the right and the wrong form as {y}.

    Args:
        w: Where the words around come from.
        words: Two words.
        forms: The form that agrees with the first, and the one that agrees with the second.
        template: Sentence with the slots {x} and {y}.
        dated: Whether it may have an adverbial of time.
    """
    one, other = forms
    template += w.choose(*ENDS)
    return minimal_pairs(
        w,
        *(
            (template.format(x=x, y=right), template.format(x=x, y=wrong))
            for x, right, wrong in ((words[0], one, other), (words[1], other, one))
        ),
        dated=dated,
    )
