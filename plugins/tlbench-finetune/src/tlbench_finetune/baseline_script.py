"""The model of this folder, which uses no pretrained weights; by NumPy alone: see predict.py for its use."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

LEVELS, FARTHEST = 8, 10.0
DATA_ONLY = True


def load(folder: Path, settings: dict[str, Any]) -> Callable[[Sequence[Sequence[Any]]], Any]:
    """Returns a function of rows; for linear models to logits, otherwise to values with their probabilities or None."""
    predictors: dict[str, Callable[..., Any]] = {"constant": constant, "words": words, "lead": lead, "linear": linear}
    return predictors[settings["predictor"]](folder, settings)  # type: ignore[no-any-return]


def constant(folder: Path, settings: dict[str, Any]) -> Callable[[Sequence[Sequence[Any]]], list[tuple[Any, Any]]]:
    """Returns a function that gives every row the same answer, and every word the same tag."""
    value, scores = settings["value"], settings["scores"]
    # A row of words is a list; texts and images are not.
    return lambda rows: [([value] * len(row[0]) if isinstance(row[0], list) else value, scores) for row in rows]


def words(folder: Path, settings: dict[str, Any]) -> Callable[[Sequence[Sequence[Any]]], list[tuple[Any, Any]]]:
    """Returns a function that looks up the tag of every word."""
    known, other = settings["known"], settings["other"]
    return lambda rows: [([known.get(word, other) for word in row[0]], None) for row in rows]


def lead(folder: Path, settings: dict[str, Any]) -> Callable[[Sequence[Sequence[Any]]], list[tuple[Any, Any]]]:
    """Returns a function that answers with the first words of a text."""

    def beginning(text: str) -> str:
        first = list(islice(re.finditer(r"\S+", text), settings["words"]))
        return text[first[0].start() : first[-1].end()] if first else ""

    return lambda rows: [(beginning(row[settings["place"]]), None) for row in rows]


def linear(folder: Path, settings: dict[str, Any]) -> Callable[[Sequence[Sequence[Any]]], Any]:
    """Returns a function to logits (N, K) by a linear model on n-grams of texts, or on colours of images."""
    from safetensors.numpy import load_file

    arrays = load_file(folder / "model.safetensors")
    if "levels" in settings:
        return lambda rows: colour_features(rows, arrays) @ arrays["weights"].astype(np.float64) + arrays["bias"]
    grams = {unit: {gram: i for i, gram in enumerate(settings[unit])} for unit in ("words", "characters")}

    def logits(rows: Sequence[Sequence[str]]) -> Any:
        return np.stack([text_logits(row, grams, arrays) for row in rows])

    return logits


def text_logits(texts: Sequence[str], grams: dict[str, dict[str, int]], arrays: dict[str, Any]) -> Any:
    """Returns the logits (K,) of one text or of a pair."""
    found = arrays["bias"].astype(np.float64)
    start, vectors = 0, []
    for text in texts:
        for unit in ("words", "characters"):
            vectors.append(tfidf(text, unit, grams[unit], arrays[f"{unit}.idf"]))
            for index, value in vectors[-1].items():
                found = found + value * arrays["weights"][start + index]
            start += len(grams[unit])
    if len(texts) == 2:
        found = found + overlaps(vectors) @ arrays["weights"][start:].astype(np.float64)
    return found


def tfidf(text: str, unit: str, grams: dict[str, int], idf: Any) -> dict[int, float]:
    """Returns the TF-IDF of the known n-grams of a text, of length 1; term frequencies are 1 + log(count)."""
    analyze = word_grams if unit == "words" else character_grams
    counts = Counter(grams[gram] for gram in analyze(text.lower()) if gram in grams)
    weighted = {index: (1 + math.log(count)) * float(idf[index]) for index, count in counts.items()}
    length = math.sqrt(sum(value * value for value in weighted.values())) or 1.0
    return {index: value / length for index, value in weighted.items()}


def word_grams(text: str) -> list[str]:
    """Returns the words of a text and its pairs of neighbouring words."""
    found = re.findall(r"(?u)\b\w+\b", text)
    return found + [f"{a} {b}" for a, b in pairwise(found)]


def character_grams(text: str) -> Iterator[str]:
    """Yields the parts of 2 to 5 characters of each word with a space at both ends."""
    for word in text.split():
        padded = f" {word} "
        for n in range(2, 6):
            yield padded[:n]
            # A word shorter than n counts once.
            if len(padded) <= n:
                break
            for start in range(1, len(padded) - n + 1):
                yield padded[start : start + n]


def overlaps(vectors: Sequence[dict[int, float]]) -> Any:
    """Returns the five features that compare two texts: cosines of words and characters, and shares of words."""
    cosines = [
        sum(v * other.get(i, 0.0) for i, v in one.items()) for one, other in zip(vectors[:2], vectors[2:], strict=True)
    ]
    first, second = set(vectors[0]), set(vectors[2])
    both = len(first & second)
    shares = [both / max(1, total) for total in (len(first | second), len(first), len(second))]
    return np.array([*cosines, *shares])


def colour_features(rows: Sequence[Sequence[Any]], arrays: dict[str, Any]) -> Any:
    """Returns the standardised colours of images, (N, features)."""
    found = np.stack([colours(row[0]) for row in rows])
    return np.clip((found - arrays["mean"]) / arrays["deviation"], -FARTHEST, FARTHEST)


def colours(image: Any) -> Any:
    """Returns the share of pixels in each bin of an RGB histogram, then three moments of hue, saturation and value."""
    red, green, blue = (np.asarray(image) // (256 // LEVELS)).reshape(-1, 3).astype(np.uint16).T
    bins = (red * LEVELS + green) * LEVELS + blue
    histogram = np.bincount(bins, minlength=LEVELS**3) / len(bins)
    shares = np.reshape(image.convert("HSV").histogram(), (3, 256)) / len(bins)
    values = np.arange(256) / 255
    mean = shares @ values
    centred = values - mean[:, None]
    spread = np.sqrt((shares * centred**2).sum(axis=1))
    return np.concatenate([histogram, mean, spread, np.cbrt((shares * centred**3).sum(axis=1))])
