"""Predicts new rows with an exported folder, without running any code of the folder, which may come from someone else.

`predict.py` of the folder is not used, but the one that exports copy; and of `model.py` the file of the installed
plugin that wrote it, if they are equal and the file declares `DATA_ONLY = True`: it reads safetensors, JSON and texts
of a folder, and calls or imports nothing that they name.
"""

from __future__ import annotations

import importlib.util
import json
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from tlbench.catalog.discovery import OWN, plugin_modules
from tlbench.contracts.errors import UsageError
from tlbench.contracts.images.image_file import ImageFile
from tlbench.contracts.task import Examples, Modality
from tlbench.contracts.untrusted.regular_files import read_regular_file
from tlbench.running.exporting.exported_folder import HEAD_SCRIPT, SETTINGS
from tlbench.running.exporting.standalone.predict_folder import FolderModel
from tlbench.running.prediction.answers import RowAnswer
from tlbench.running.prediction.input_forms import InputForm, Kind
from tlbench.running.prediction.predicting import RowPredictor

SCRIPT = "model.py"
MARK = b"\nDATA_ONLY = True\n"
"""The line by which a script declares that a folder from elsewhere makes it run no code."""
_SUFFIXES = {".safetensors", ".json", ".txt", ".md", ".py", ".model", ".jinja", ".onnx", ".data"}
_MOST_SETTINGS, _MOST_SCRIPT = 2**28, 2**20


def is_exported(folder: Path, is_path: bool) -> bool:
    """Returns whether a name of the command line means an exported folder, and not a cell.

    Args:
        folder: The name as a path.
        is_path: Whether it cannot be a cell's id, as it has a slash.

    Raises:
        UsageError: It is the path of a folder in which there is no exported model.
    """
    if not folder.is_dir():
        return False
    if (folder / SCRIPT).exists() and (folder / SETTINGS).exists():
        return True
    if is_path:
        raise UsageError(f"{folder}: no model that `tlbench export` wrote is in it; give such a folder, or a cell's id")
    return False


def exported_predictor(folder: Path, inputs: int = 0) -> RowPredictor:
    """Returns a predictor of an exported folder, which computes on the CPU in fp32.

    Args:
        folder: The folder.
        inputs: Number of inputs of a row, where the folder does not say; 0 for one.

    Raises:
        UsageError: The folder is damaged, or has code that tlbench does not run.
    """
    script = _installed_script(folder, SCRIPT)
    try:
        _check_files(folder)
        settings = json.loads(read_regular_file(folder / SETTINGS, _MOST_SETTINGS))
        has_program = (settings.get("head") or {}).get("kind") == "program"
        head_script = _installed_script(folder, HEAD_SCRIPT) if has_program else None
        output, given = settings["output"], settings.get("inputs") or {"count": max(1, inputs), "columns": []}
        form = InputForm(_kind(output), int(given["count"]))
        columns = tuple(tuple(map(str, names)) for names in given["columns"])
        named = output["kind"] in ("classes", "multi-label")
        classes = tuple(map(str, output["names"])) if named else ()
        model = FolderModel(folder, script, head_script)
    except UsageError:
        raise
    except MemoryError:
        raise
    # A library may raise anything for a damaged file.
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise UsageError(f"{folder}: no model can be read from it: {type(error).__name__}: {text}") from error
    return RowPredictor(_answering(model), form, columns, classes)


def _kind(output: dict[str, Any]) -> Kind:
    if output["modality"] not in get_args(Modality):
        raise ValueError(f"it is for {output['modality']!r:.40}")
    if output["modality"] == "image":
        return "image"
    return "words" if output["kind"] == "token-classes" else "text"


def _answering(model: FolderModel) -> Callable[[Examples], Sequence[RowAnswer]]:
    def answers(examples: Examples) -> Sequence[RowAnswer]:
        rows = [[_plain(item) for item in example.inputs] for example in examples]
        return [_answer(found) for found in model(rows)]

    return answers


def _plain(item: Any) -> Any:
    """Returns an input as a line of JSON rows has it."""
    if isinstance(item, ImageFile):
        return str(item.path)
    return list(item) if isinstance(item, tuple) else item


def _answer(found: dict[str, Any]) -> RowAnswer:
    value = next(found[name] for name in ("label", "labels", "value", "tags", "text") if name in found)
    scores = found.get("scores") or {}
    if "labels" in found:
        confidence = min((max(share, 1 - share) for share in scores.values()), default=None)
    else:
        confidence = scores.get(value) if scores else None
    return RowAnswer(value, confidence, scores)


def _installed_script(folder: Path, name: str) -> Path:
    """Returns the file of an installed plugin that is equal to the script of this name in a folder.

    Raises:
        UsageError: There is none, or it does not declare that it runs no code of the folder.
    """
    try:
        content = read_regular_file(folder / name, _MOST_SCRIPT)
    except OSError as error:
        raise UsageError(f"{folder / name}: cannot be read: {error.strerror or error}") from None
    for path in _sources():
        # Sizes first: most files need not be read.
        if path.stat().st_size == len(content) and path.read_bytes() == content and MARK in content:
            return path
    raise UsageError(
        f"{folder / name}: is no script of an installed plugin that is safe for folders from elsewhere, and tlbench "
        f"runs no other; if you trust the folder: python {folder / 'predict.py'} < rows.jsonl"
    )


def _sources() -> Iterator[Path]:
    """Yields the Python files of the packages of tlbench and its plugins."""
    for top in dict.fromkeys((OWN, *(name.partition(".")[0] for name in plugin_modules()))):
        spec = sys.modules[top].__spec__ if top in sys.modules else importlib.util.find_spec(top)
        for place in spec.submodule_search_locations or () if spec else ():
            yield from sorted(Path(place).rglob("*script.py"))


def _check_files(folder: Path) -> None:
    """Refuses what a loading library could follow or run: links, pickles, and settings that name code.

    Raises:
        UsageError: There is such a file.
        OSError: A file cannot be read.
        ValueError: A file of settings is damaged.
    """
    for path in sorted(folder.rglob("*")):
        # Libraries read no hidden files; compiled ones are left by `python predict.py`.
        if any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts):
            continue
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            continue
        if not stat.S_ISREG(status.st_mode) or path.suffix not in _SUFFIXES:
            raise UsageError(f"{path}: is not part of an exported model: remove it")
        if path.name.endswith("config.json"):
            content = json.loads(read_regular_file(path, _MOST_SETTINGS))
            if not isinstance(content, dict) or "auto_map" in content:
                raise UsageError(f"{path}: names code that its model needs, and tlbench runs none of a folder")
