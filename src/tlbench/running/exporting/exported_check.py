"""Loads exported folders in a process without tlbench, and compares what they predict with the model itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tlbench.contracts.errors import UsageError
from tlbench.contracts.images.image_file import rgb
from tlbench.contracts.outputs import Classes, MultiLabel, Output, Predictions, Scalar, TokenClasses
from tlbench.contracts.task import Examples

TOLERANCE = 1e-5
"""Largest difference of a probability, or of a number in units of its size, between the model and its export."""
# Everything named tlbench is refused, wherever it is installed; `predict.py` is loaded as a user would import it.
_PROCESS = """
import importlib.util, json, sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].startswith("tlbench"):
            raise ModuleNotFoundError(f"{name} is not there without tlbench")
sys.meta_path.insert(0, Refused())
found = []
for order in json.load(sys.stdin):
    spec = importlib.util.spec_from_file_location("predict", order["folder"] + "/predict.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found.append(module.FolderModel()(order["rows"]))
sys.stdout.write("\\n" + json.dumps(found))
"""


def rows_of(examples: Examples, images: Path) -> list[list[Any]]:
    """Returns the inputs of examples as JSON has them; images are written to a folder, without loss."""
    rows: list[list[Any]] = []
    for number, example in enumerate(examples):
        row: list[Any] = []
        for place, item in enumerate(example.inputs):
            if isinstance(item, str):
                row.append(item)
            elif isinstance(item, tuple | list):
                row.append(list(item))
            else:
                path = images / f"{number}-{place}.png"
                rgb(item).save(path)
                row.append(str(path))
        rows.append(row)
    return rows


def predictions_without_tlbench(folders: Sequence[tuple[Path, list[list[Any]]]]) -> list[list[dict[str, Any]]]:
    """Returns what exported folders predict for rows of inputs, in a new process in which tlbench cannot be imported.

    Raises:
        UsageError: A folder cannot be loaded, or its script raises; the message has the last line of its error.
    """
    orders = [{"folder": str(folder.resolve()), "rows": rows} for folder, rows in folders]
    # -P: the working directory may be one in which tlbench can be found. Compiled files are not part of an export.
    command = [sys.executable, "-P", "-B", "-c", _PROCESS]
    ended = subprocess.run(command, input=json.dumps(orders), capture_output=True, text=True, check=False)
    if ended.returncode:
        lines = [line for line in ended.stderr.splitlines() if line.strip()]
        raise UsageError(f"the exported folder cannot be used without tlbench: {lines[-1] if lines else 'it crashed'}")
    found: list[list[dict[str, Any]]] = json.loads(ended.stdout.rpartition("\n")[2])
    return found


def differing(found: Sequence[dict[str, Any]], own: Predictions, output: Output) -> str:
    """Returns in a few words how exported predictions differ from the model's own; empty if they don't."""
    if len(found) != len(own):
        return f"{len(found)} predictions for {len(own)} rows"
    if isinstance(output, Scalar):
        values = np.array([one["value"] for one in found])
        wanted = own.values.astype(np.float64)
        largest = float((np.abs(values - wanted) / np.maximum(1, np.abs(wanted))).max())
        return f"a number differs by {largest:.1e}" if largest > TOLERANCE else ""
    if isinstance(output, Classes | MultiLabel):
        return _differing_classes(found, own, output)
    if isinstance(output, TokenClasses):
        tags = [tuple(output.names[tag] for tag in value) for value in own.values]
        count = sum(tuple(one["tags"]) != tag for one, tag in zip(found, tags, strict=True))
    elif (problem := output.differing([one["text"] for one in found], own.values.tolist())) is not None:
        return problem
    else:
        count = sum(one["text"] != text for one, text in zip(found, own.values, strict=True))
    return f"{count} of {len(own)} predictions differ" if count else ""


def _differing_classes(found: Sequence[dict[str, Any]], own: Predictions, output: Classes | MultiLabel) -> str:
    margins = np.full(len(own), np.inf)
    if own.scores is not None:
        scores = np.array([[one["scores"][name] for name in output.names] for one in found])
        largest = float(np.abs(scores - own.scores).max())
        if largest > TOLERANCE:
            return f"a probability differs by {largest:.1e}"
        ranked = np.sort(own.scores, axis=1)
        single = isinstance(output, Classes) and len(output.names) > 1
        margins = ranked[:, -1] - ranked[:, -2] if single else np.abs(own.scores - 0.5).min(axis=1)
    if isinstance(output, Classes):
        same = [one["label"] == output.names[int(value)] for one, value in zip(found, own.values, strict=True)]
    else:
        same = [
            one["labels"] == [name for name, part in zip(output.names, value, strict=True) if part]
            for one, value in zip(found, own.values, strict=True)
        ]
    # Where two classes are equally likely, rounding decides.
    count = sum(not one and margin > TOLERANCE for one, margin in zip(same, margins, strict=True))
    return f"{count} of {len(own)} classes differ" if count else ""
