"""The word vectors of this folder, by NumPy alone: see predict.py for their use."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

TOKENS = re.compile(r"\w+(?:[-'.]\w+)*|[^\w\s]")
PIECES = re.compile(r"\w+?(?=n't$)|n't$|'\w+|\w+|[^\w\s]")
DATA_ONLY = True


def load(folder: Path, settings: dict[str, Any]) -> Callable[[Sequence[Sequence[Any]]], Any]:
    """Returns a function from rows of texts to features (N, D), or from sentences to a list of (words, D)."""
    from safetensors.numpy import load_file

    table = load_file(folder / "model.safetensors")["embedding.weight"]
    words = (folder / "words.txt").read_bytes().decode().split("\n")
    # Row 0 is the unknown word.
    known = {word: row for row, word in enumerate(words, start=1)}
    lower = all(word == word.lower() for word in words)

    def row_of(token: str) -> int:
        exact = 0 if lower else known.get(token, 0)
        return exact or known.get(token.lower(), 0)

    def rows_of(token: str) -> list[int]:
        if row := row_of(token):
            return [row]
        pieces = PIECES.findall(token)
        return [row for piece in pieces if (row := row_of(piece))] if len(pieces) > 1 else []

    def text_rows(text: str) -> list[int]:
        return [
            row
            for token in TOKENS.findall(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
            for row in rows_of(token)
        ]

    def sentence(words: Sequence[str]) -> Any:
        straight = [word.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'") for word in words]
        return table[[(rows_of(word) or text_rows(word) or [0])[0] for word in straight]]

    def features(texts: Sequence[str]) -> Any:
        vectors = table[cut([text_rows(text) for text in texts], settings["length"]) or [0]]
        if settings["readout"] == "mean":
            return vectors.mean(axis=0)
        return vectors[0 if settings["readout"] == "first" else -1]

    if settings["reads"] == "words":
        return lambda rows: [sentence(row[0]) for row in rows]
    return lambda rows: np.stack([features(row) for row in rows])


def cut(parts: list[list[int]], length: int) -> list[int]:
    """Returns the rows of one or two texts, of which the longer is cut first."""
    if len(parts) == 1:
        return parts[0][:length]
    first, second = parts
    first = first[: max(length - len(second), length // 2)]
    return first + second[: length - len(first)]
