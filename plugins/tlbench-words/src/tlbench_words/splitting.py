"""Splits texts into words and looks up their rows in a table of word vectors."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tlbench_words.vector_files import Vectors

UNKNOWN = 0
_TOKENS = re.compile(r"\w+(?:[-'.]\w+)*|[^\w\s]")
_PIECES = re.compile(r"\w+?(?=n't$)|n't$|'\w+|\w+|[^\w\s]")
"""Pattern of the parts of a contraction, as in GloVe's tokenizer (Penn Treebank): don't -> do n't, it's -> it 's."""


@dataclass(frozen=True)
class Splitter:
    """Finds the words of a text that have a vector."""

    vectors: Vectors

    def text(self, text: str) -> list[int]:
        """Returns the table rows of a text's known words, in order; unknown words are skipped."""
        return [row for token in _TOKENS.findall(_straighten(text)) for row in self._rows(token)]

    def word(self, word: str) -> list[int]:
        """Returns the table rows of a word, or of its known parts, or row 0 if nothing is known."""
        return self._rows(_straighten(word)) or self.text(word) or [UNKNOWN]

    def _rows(self, token: str) -> list[int]:
        # The whole word is looked up before its parts, because the vocabulary may contain "well-known" itself.
        if row := self._row(token):
            return [row]
        pieces = _PIECES.findall(token)
        return [row for piece in pieces if (row := self._row(piece))] if len(pieces) > 1 else []

    def _row(self, token: str) -> int:
        vocabulary = self.vectors.vocabulary
        # `or` works because row 0 is reserved for unknown words, so that no known word has a falsy row.
        exact = UNKNOWN if self.vectors.lower else vocabulary.get(token, UNKNOWN)
        return exact or vocabulary.get(token.lower(), UNKNOWN)


def _straighten(text: str) -> str:
    # Vocabularies have "don't" with an ASCII apostrophe only; texts often have the typographic one.
    return text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
