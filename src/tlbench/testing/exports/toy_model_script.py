"""The toy backbone of this folder, by NumPy alone: see predict.py for its use."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SEPARATOR, FIRST_WORD, VOCABULARY, LONGEST = 1, 2, 1024, 64
DATA_ONLY = True


def load(folder: Path, settings: dict[str, Any]) -> Callable[[Sequence[Sequence[Any]]], Any]:
    """Returns a function from rows to features (N, D), or to the states of words or of positions."""
    from safetensors.numpy import load_file

    weights = load_file(folder / "model.safetensors")
    readers = {"example": _example, "words": _words, "context": _context}
    read = readers[settings["reads"]]

    def predict(rows: Sequence[Sequence[Any]]) -> Any:
        found = [read(states(pieces(row), weights), pieces(row), row, settings) for row in rows]
        return np.stack(found) if settings["reads"] == "example" else found

    return predict


def pieces(inputs: Sequence[Any]) -> list[tuple[int, int, int, tuple[int, int]]]:
    """Returns the tokens of an example as (id, index of the word, index of its input, character range in it)."""
    found = []
    for part, item in enumerate(inputs):
        words = [(m[0], m.span()) for m in re.finditer(r"\S+", item)] if isinstance(item, str) else [
            (word, (-1, -1)) for word in item]  # fmt: skip
        for number, (word, place) in enumerate(words):
            hashed = FIRST_WORD + zlib.crc32(word.lower().encode()) % (VOCABULARY - FIRST_WORD)
            found.append((hashed, number, part, place))
        found.append((SEPARATOR, -1, part, (-1, -1)))
    return found[:LONGEST]


def states(tokens: Sequence[tuple[int, int, int, Any]], weights: dict[str, Any]) -> Any:
    """Returns the last hidden states (T, D) of one row."""
    x = weights["embeddings.weight"][[token for token, *_ in tokens]] + weights["positions"][: len(tokens)]
    x = x.astype(np.float64)
    block = 0
    while f"blocks.{block}.out.weight" in weights:
        prefix = f"blocks.{block}."
        own = {name.removeprefix(prefix): one for name, one in weights.items() if name.startswith(prefix)}
        query, key, value = np.split(_linear(_norm(x, own, "norm"), own, "attention"), 3, axis=1)
        powers = query @ key.T / math.sqrt(x.shape[1])
        shares = np.exp(powers - powers.max(axis=1, keepdims=True))
        x = x + _linear(shares / shares.sum(axis=1, keepdims=True) @ value, own, "out")
        hidden = _linear(_norm(x, own, "mlp.0"), own, "mlp.1")
        x = x + _linear(hidden * 0.5 * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2))), own, "mlp.3")
        block += 1
    return _norm(x, weights, "norm")


def _example(x: Any, tokens: Any, row: Any, settings: dict[str, Any]) -> Any:
    return x[0] if settings["readout"] == "first" else x.mean(axis=0)


def _words(x: Any, tokens: Any, row: Sequence[Any], settings: dict[str, Any]) -> Any:
    found = np.full((len(row[0]), x.shape[1]), np.nan)
    for state, (_, number, _, _) in zip(x, tokens, strict=True):
        if number >= 0:
            found[number] = state
    return found


def _context(x: Any, tokens: Any, row: Any, settings: dict[str, Any]) -> Any:
    return [(x, np.array([place if part == 1 else (-1, -1) for _, _, part, place in tokens]))]


def _linear(x: Any, weights: dict[str, Any], name: str) -> Any:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _norm(x: Any, weights: dict[str, Any], name: str) -> Any:
    centred = x - x.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    return centred / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]
