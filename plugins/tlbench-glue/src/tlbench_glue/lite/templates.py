"""Finds the sentence template of generated examples: their text with a blank for every word that was drawn."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tlbench_glue.lite.lexicon import noun, verb

BLANK = "_"


def template_of(texts: Iterable[str], drawn: Iterable[str]) -> str:
    """Returns the template of examples that belong together, such as "the _ _ herself. | the _ _ himself.".

    Args:
        texts: The texts of all inputs of the examples, such as those of a minimal pair.
        drawn: The words, entries of the lexicon and clauses that were drawn to make them.
    """
    slots = {form for entry in drawn for form in _forms(entry)}
    # Longest first, so that no word is replaced within a longer one, of which a part would be left.
    options = "|".join(re.escape(slot) for slot in sorted(slots, key=lambda slot: (-len(slot), slot))) or "(?!)"
    blanked = {re.sub(rf"\b({options})\b", BLANK, text, flags=re.IGNORECASE).lower() for text in texts}
    # The article depends on the noun, which is a blank now: "an" becomes "a".
    return " | ".join(sorted({re.sub(rf"\ban {BLANK}", f"a {BLANK}", text) for text in blanked}))


def _forms(entry: str) -> Iterable[str]:
    """Yields a lexicon entry and, if it has at most two words, all forms of each word as a noun and as a verb."""
    yield entry
    if len(entry.split()) > 2:
        return
    for word in entry.split():
        thing, action = noun(word), verb(word)
        yield from (thing.one, thing.many, action.base, action.s, action.past, action.done, action.ing)
