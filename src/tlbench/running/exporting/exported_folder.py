"""Writes a fitted model to a folder that loads without tlbench: weights, settings, and a script that predicts."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import UsageError
from tlbench.contracts.exports.forms import (
    DenseHead,
    Exportable,
    ExportedFiles,
    FeatureModel,
    MapsModel,
    NearestHead,
    Program,
)
from tlbench.contracts.outputs import Classes, MultiLabel, Output, Scalar, Span, Text, TokenClasses
from tlbench.contracts.task import Modality

if TYPE_CHECKING:
    from torch import Tensor

SETTINGS = "model.json"
HEAD = "head.safetensors"
HEAD_SCRIPT = "head.py"
_STANDALONE = Path(__file__).parent / "standalone"
_OUTPUTS = frozenset(kind.kind for kind in (Classes, MultiLabel, Scalar, TokenClasses, Span, Text))
_LOADING = "# no library has a class for this model: predict.py is all that there is"


@dataclass(frozen=True)
class FittedModel:
    """What there is to export."""

    form: Exportable
    backbone: Backbone | None
    """The backbone of the form's encoder; None for a model without one."""
    output: Output
    modality: Modality
    inputs: int = 1
    """Number of inputs of an example: 2 for pairs."""
    columns: tuple[tuple[str, ...], ...] = ()
    """The columns of each input in the task's own files; empty if it has none."""


def write_folder(model: FittedModel, folder: Path) -> ExportedFiles:
    """Writes a model into an existing, empty folder, and returns what the backbone's plugin says of it.

    Raises:
        UsageError: The model has no form without tlbench; the message says why.
    """
    form = model.form
    decoded = isinstance(form, Program) and form.decoded
    # What predict.py does not know comes from a script that decodes by itself.
    if model.output.kind not in _OUTPUTS and not (decoded or isinstance(form, MapsModel)):
        raise UsageError(f"predictions of the kind {model.output.kind} have no exported form")
    files = _written(model, folder)
    content = {
        "output": {
            "kind": model.output.kind,
            "names": list(model.output.classes),
            "modality": model.modality,
            "may_be_empty": isinstance(form, FeatureModel) and form.may_be_empty,
        },
        "inputs": {"count": model.inputs, "columns": model.columns},
        "decoded": decoded,
        "head": None,
        "model": dict(files.settings),
    }
    if isinstance(form, FeatureModel) and not files.includes_head:
        content["head"], tensors = _head(form)
        _save(tensors, folder / HEAD)
    program = form.head if isinstance(form, MapsModel) else form if isinstance(form, Program) else None
    if isinstance(form, MapsModel):
        content["head"] = {
            "kind": "program",
            "settings": dict(form.head.settings),
            "maps": [asdict(point) for point in form.points],
            "modules": [module.stem for module in form.head.modules],
        }
        _save(form.head.arrays, folder / HEAD)
        shutil.copyfile(form.head.script, folder / HEAD_SCRIPT)
        shutil.copyfile(_STANDALONE / "stage_maps.py", folder / "stage_maps.py")
    for module in program.modules if program else ():
        shutil.copyfile(module, folder / module.name)
    # safetensors makes files that their owner alone can read; an exported folder is for others too.
    readable = 0o666 & ~_umask()
    for path in folder.rglob("*.safetensors"):
        path.chmod(readable)
    (folder / SETTINGS).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(files.script, folder / "model.py")
    shutil.copyfile(_STANDALONE / "predict_folder.py", folder / "predict.py")
    requirements = sorted({"numpy", "safetensors", *files.requirements, *(program.requirements if program else ())})
    (folder / "requirements.txt").write_text("".join(f"{name}\n" for name in requirements), encoding="utf-8")
    return files


def _umask() -> int:
    # The only way to ask for it is to set it; commands that export have one thread.
    os.umask(mask := os.umask(0o022))
    return mask


def _written(model: FittedModel, folder: Path) -> ExportedFiles:
    form = model.form
    if isinstance(form, Program):
        if form.arrays:
            _save(form.arrays, folder / "model.safetensors")
        return ExportedFiles(form.script, form.settings, True, "numpy", _LOADING, form.requirements)
    if model.backbone is None:
        raise UsageError("a model with an encoder, but without a backbone, has no form without tlbench")
    return model.backbone.export(form, model.output, folder)


def _head(form: FeatureModel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    head = form.head
    if isinstance(head, NearestHead):
        settings = {"kind": "nearest", "pairs": form.pairs, "k": head.k, "temperature": head.temperature}
        return settings, {"units": head.units, "targets": head.targets}
    assert isinstance(head, DenseHead)
    tensors = {
        f"{i}.{name}": part for i, layer in enumerate(head.layers) for name, part in zip(_NAMES, layer, strict=True)
    }
    layers = len(head.layers)
    return {"kind": "dense", "pairs": form.pairs, "layers": layers, "activation": head.activation}, tensors


_NAMES = ("weight", "bias")


def _save(tensors: Mapping[str, Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, str(path))
