"""Texts to the rows of a table of word vectors."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tlbench_words.vector_files import Vectors

UNKNOWN = 0
_TOKENS = re.compile(r"\w+(?:[-'.]\w+)*|[^\w\s]")
_PIECES = re.compile(r"\w+?(?=n't$)|n't$|'\w+|\w+|[^\w\s]")
"""Don't, it's and well-known in the parts that GloVe's tokenizer makes of them (as the Penn Treebank does)."""


@dataclass(frozen=True)
class Splitter:
    """Finds the words of a text that have a vector."""

    vectors: Vectors

    def text(self, text: str) -> list[int]:
        """Returns the rows of the known words, in order; the others are left out."""
        return [row for token in _TOKENS.findall(_plain(text)) for row in self._rows(token)]

    def word(self, word: str) -> list[int]:
        """Returns the rows of a word or of its known parts; row 0 where there is none."""
        return self._rows(_plain(word)) or self.text(word) or [UNKNOWN]

    def _rows(self, token: str) -> list[int]:
        if row := self._row(token):
            return [row]
        pieces = _PIECES.findall(token)
        return [row for piece in pieces if (row := self._row(piece))] if len(pieces) > 1 else []

    def _row(self, token: str) -> int:
        known = self.vectors.vocabulary
        found = UNKNOWN if self.vectors.lower else known.get(token, UNKNOWN)
        return found or known.get(token.lower(), UNKNOWN)


def _plain(text: str) -> str:
    return text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
