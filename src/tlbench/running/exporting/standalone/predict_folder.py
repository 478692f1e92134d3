"""Predicts with the model in this folder: `python predict.py < rows.jsonl > predictions.jsonl`.

A row is a JSON list of the inputs of one example: ["a text"], ["a text", "another"], ["question", "context"],
[["a", "sentence", "in", "words"]] or ["photo.png"]. From Python: `from predict import FolderModel`, then
`FolderModel(folder)([["a text"], ...])`. The model itself is in model.py; its settings are in model.json.
"""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

N_BEST, LONGEST_ANSWER = 20, 30


class FolderModel:
    """The model of a folder, from rows to predictions."""

    def __init__(
        self,
        folder: str | Path | None = None,
        script: str | Path | None = None,
        head_script: str | Path | None = None,
    ) -> None:
        self.folder = Path(folder) if folder else Path(__file__).resolve().parent
        content = json.loads((self.folder / "model.json").read_text(encoding="utf-8"))
        self.output: dict[str, Any] = content["output"]
        self.inputs: int = content["inputs"]["count"]
        self.head: dict[str, Any] | None = content["head"]
        self.decoded: bool = content["decoded"]
        self.tensors: dict[str, Any] = {}
        self.has_program = bool(self.head) and self.head["kind"] == "program"
        if self.head and not self.has_program:
            from safetensors.numpy import load_file

            self.tensors = load_file(self.folder / "head.safetensors")
        self.model = loaded("exported_model", script or self.folder / "model.py").load(self.folder, content["model"])
        if self.head and self.has_program:
            reading = loaded("stage_maps", Path(__file__).with_name("stage_maps.py"))
            maps = reading.StageMaps(*self.model, self.head["maps"])
            path = Path(head_script or self.folder / "head.py")
            names = [name for name in self.head["modules"] if name.isidentifier()]
            modules = {name: loaded(name, path.with_name(f"{name}.py")) for name in names}
            self.model = loaded("exported_head", path).load(self.folder, self.head["settings"], maps, modules)

    def __call__(self, rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
        """Returns for each row {"label", "scores"}, {"labels", "scores"}, {"value"}, {"tags"} or {"text"}.

        A model with a head.py adds what else it knows to the text.
        """
        if self.output["modality"] == "image":
            rows = [[opened(row[0])] for row in rows]
        if self.has_program:
            return list(self.model(rows))
        if self.head and self.head["pairs"] == "separate":
            return self._decoded(rows, pair_features(*(self.model([[row[i]] for row in rows]) for i in range(2))))
        return self._decoded(rows, self.model(rows))

    def fault(self, row: Any) -> str:
        """Returns what is wrong with a row, empty if nothing is; a row of another form would get a wrong answer."""
        words = self.output["kind"] == "token-classes"
        inputs: list[Any] = ["photo.png"] if self.output["modality"] == "image" else ["a text", "another"]
        example = json.dumps([["a", "sentence", "in", "words"]] if words else inputs[: self.inputs])
        if not isinstance(row, list) or len(row) != self.inputs:
            return f"expected a JSON list of {self.inputs} input{'s' * (self.inputs > 1)}, such as {example}"
        for part in row:
            texts = part if words else [part]
            if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
                return f"expected {'a list of words' if words else 'texts'}, as in {example}"
        return ""

    def _decoded(self, rows: Sequence[Sequence[Any]], found: Any) -> list[dict[str, Any]]:
        kind = self.output["kind"]
        if self.decoded:
            return [self._named(value, scores) for value, scores in found]
        if kind == "text":
            return [self._named(text) for text in found]
        if kind == "token-classes":
            return [self._named(self._tags(words)) for words in found]
        if kind == "span":
            empty = self.output["may_be_empty"]
            windows = [[(self._logits(x), offsets) for x, offsets in row] for row in found]
            return [self._named(answer(row[1], parts, empty)) for row, parts in zip(rows, windows, strict=True)]
        logits = self._logits(found)
        if kind == "scalar":
            return [self._named(float(value)) for value in logits[:, 0]]
        if kind == "multi-label":
            return [self._named(row > 0, 1 / (1 + np.exp(-row.clip(-700, 700)))) for row in logits]
        chances = logits if self.head and self.head["kind"] == "nearest" else softmax(logits)
        return [self._named(row.argmax(), row) for row in chances]

    def _named(self, value: Any, scores: Any = None) -> dict[str, Any]:
        """Returns a prediction with the names of its classes."""
        kind, names = self.output["kind"], self.output["names"]
        if kind == "token-classes":
            return {"tags": [names[tag] for tag in value]}
        if isinstance(value, dict):
            return value
        if kind == "scalar" or scores is None:
            return {"value" if kind == "scalar" else "text": value}
        shares = {name: float(share) for name, share in zip(names, scores, strict=True)}
        if kind == "multi-label":
            return {"labels": [name for name, part in zip(names, value, strict=True) if part], "scores": shares}
        return {"label": names[int(value)], "scores": shares}

    def _tags(self, found: Any) -> list[int]:
        known = ~np.isnan(found).any(axis=1)
        names = self.output["names"]
        tags = np.full(len(found), names.index("O") if "O" in names else 0)
        if known.any():
            tags[known] = self._logits(found[known]).argmax(axis=1)
        return [int(tag) for tag in tags]

    def _logits(self, found: Any) -> Any:
        """Returns logits in fp64; of the nearest rows, probabilities or numbers."""
        if self.head is None:
            return np.asarray(found, dtype=np.float64)
        if self.head["kind"] == "nearest":
            return self._nearest(np.asarray(found, dtype=np.float32))
        x = np.asarray(found, dtype=np.float64)
        last = self.head["layers"] - 1
        for layer in range(last + 1):
            x = x @ self.tensors[f"{layer}.weight"].astype(np.float64).T + self.tensors[f"{layer}.bias"]
            if layer < last:
                x = np.maximum(x, 0) if self.head["activation"] == "relu" else gelu(x)
        return x

    def _nearest(self, features: Any) -> Any:
        head = self.head or {}
        units, targets = self.tensors["units"], self.tensors["targets"]
        queries = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
        similar = queries @ units.T
        k = min(int(head["k"]), len(units))
        nearest = np.argsort(-similar, axis=1, kind="stable")[:, :k]
        weights = softmax(np.take_along_axis(similar, nearest, axis=1).astype(np.float64) / head["temperature"])
        if self.output["kind"] == "scalar":
            return (weights * targets[nearest]).sum(axis=1, keepdims=True)
        votes = np.zeros((len(features), len(self.output["names"])))
        np.add.at(votes, (np.arange(len(features))[:, None], targets[nearest]), weights)
        return votes


def loaded(name: str, path: str | Path) -> Any:
    """Returns a Python file as a module."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def opened(path: str) -> Any:
    """Returns an image in RGB, as a viewer shows it on a white page."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(Image.open(path))
    if image.has_transparency_data:
        page = Image.new("RGBA", image.size, "white")
        page.alpha_composite(image.convert("RGBA"))
        return page.convert("RGB")
    return image.convert("RGB")


def pair_features(first: Any, second: Any) -> Any:
    """Returns (u, v, |u - v|, u * v, u . v) of two embeddings, which are scaled to length 1 first."""
    u, v = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (first, second))
    return np.concatenate([u, v, np.abs(u - v), u * v, (u * v).sum(axis=1, keepdims=True)], axis=1)


def softmax(logits: Any) -> Any:
    """Returns probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def gelu(x: Any) -> Any:
    """Returns x times the standard normal distribution function of x."""
    return x * 0.5 * (1 + np.vectorize(math.erf, otypes=[float])(x / math.sqrt(2)))


def answer(context: str, windows: Sequence[tuple[Any, Any]], may_be_empty: bool) -> str:
    """Returns the text of the best span among the windows of a context, or "".

    Args:
        context: The context.
        windows: Logits (T, 2) of starts and ends, and the characters (T, 2) of each position, -1 outside the context.
        may_be_empty: Whether the span must beat the lowest no-answer score, that of the first position.
    """
    best, span, empty = -math.inf, (0, 0), math.inf
    for logits, offsets in windows:
        empty = min(empty, float(logits[0].sum()))
        places = np.flatnonzero(offsets[:, 0] >= 0)
        if not len(places):
            continue
        starts, ends = logits[places, 0], logits[places, 1]
        firsts, lasts = (np.argsort(-part, kind="stable")[:N_BEST] for part in (starts, ends))
        length = lasts[None] - firsts[:, None] + 1
        if not ((length >= 1) & (length <= LONGEST_ANSWER)).any():
            firsts = lasts = np.arange(len(places))
            length = lasts[None] - firsts[:, None] + 1
        valid = (length >= 1) & (length <= LONGEST_ANSWER)
        scores = np.where(valid, starts[firsts][:, None] + ends[lasts][None], -math.inf)
        at = int(scores.argmax())
        if scores.flat[at] > best:
            first, last = places[firsts[at // len(lasts)]], places[lasts[at % len(lasts)]]
            best, span = float(scores.flat[at]), (int(offsets[first, 0]), int(offsets[last, 1]))
    return "" if may_be_empty and empty > best else context[span[0] : span[1]].strip()


def main() -> int:
    """Reads rows from standard input, a JSON list on each line, and writes a JSON object for each.

    Returns 2 if a line is no row of the model's inputs; it is named, and nothing is predicted.
    """
    model, rows = FolderModel(), []
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            fault = model.fault(row)
        except ValueError:
            row, fault = None, f"it is no JSON: {line.strip()[:60]!r}"
        if fault:
            sys.stderr.write(f"predict.py: line {number}: {fault}\n")
            return 2
        rows.append(row)
    try:
        for prediction in model(rows) if rows else ():
            sys.stdout.write(json.dumps(prediction, ensure_ascii=False) + "\n")
    except OSError as error:
        sys.stderr.write(f"predict.py: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
