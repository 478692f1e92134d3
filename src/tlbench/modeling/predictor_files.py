"""Saves and loads predictors: settings as JSON and weights as safetensors, so that loading never executes code."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench.contracts.errors import UsageError
from tlbench.contracts.outputs import Output

if TYPE_CHECKING:
    from torch import Tensor

SETTINGS = "predictor.json"
WEIGHTS = "model.safetensors"
TRANSPOSED = ".transposed"
"""Suffix of the name of a matrix that is column-major in memory and is stored as its transpose. The layout is restored
when the matrix is read, because products with a row-major copy could differ in the last bits."""


def write_predictor(
    folder: Path,
    name: str,
    output: Output | None,
    settings: Mapping[str, Any] | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Writes a predictor into a folder, which is created if needed.

    Args:
        folder: The folder to write to.
        name: The name of the predictor's class, checked when it is read.
        output: The task's output kind; None if it is unknown.
        settings: Values that JSON can represent.
        weights: Tensors by name, on any device; without them no weights file is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # the output is stored as well, because a predictor of other classes may have weights of the same shapes
    content = {"predictor": name, "output": _output_dict(output), "settings": settings or {}}
    (folder / SETTINGS).write_text(json.dumps(content), encoding="utf-8")
    if weights is not None:
        from safetensors.torch import save_file

        save_file(_storable(weights), str(folder / WEIGHTS))


def read_settings(folder: Path, name: str, output: Output | None) -> dict[str, Any]:
    """Returns the settings of a predictor that was written with this name and an equal output.

    Raises:
        UsageError: The folder holds no such predictor, or its file is damaged.
    """
    try:
        content = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{folder / SETTINGS}: no predictor can be read from it: {error}") from error
    settings = content.get("settings") if isinstance(content, dict) else None
    if not isinstance(settings, dict):
        raise UsageError(f"{folder / SETTINGS} does not describe a predictor")
    if content.get("predictor") != name:
        # cut to 80 characters: the name comes from a file
        raise UsageError(f"{folder / SETTINGS} describes a {content.get('predictor')!s:.80}, not a {name}")
    # converted to JSON and back, because the stored output has lists in place of tuples
    if content.get("output") != json.loads(json.dumps(_output_dict(output))):
        raise UsageError(f"{folder / SETTINGS} describes a predictor of another output than {type(output).__name__}")
    return settings


def read_weights(
    folder: Path, shapes: Mapping[str, tuple[int, ...]], optional: Collection[str] = ()
) -> dict[str, Tensor]:
    """Returns the saved weights on the CPU, with their original memory layout.

    Args:
        folder: The folder that `write_predictor` wrote to.
        shapes: The expected shape of each tensor, by name.
        optional: Names of tensors that the file may lack.

    Raises:
        UsageError: The file cannot be read, lacks a tensor that is not optional, or has other names or shapes.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    try:
        stored = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: no weights can be read from it: {error}") from error
    weights = {name.removesuffix(TRANSPOSED): w.T if name.endswith(TRANSPOSED) else w for name, w in stored.items()}
    if names := sorted((weights.keys() - shapes.keys()) | (shapes.keys() - weights.keys() - set(optional))):
        raise UsageError(f"{path} has other weights than this predictor: {', '.join(names[:3])}")
    for name, weight in weights.items():
        if tuple(weight.shape) != shapes[name]:
            raise UsageError(f"{path}: {name} is {tuple(weight.shape)}, not {shapes[name]}")
    return weights


def _storable(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns contiguous CPU tensors that share no memory, under the names they are stored by."""
    stored: dict[str, Tensor] = {}
    addresses = set()
    for name, weight in weights.items():
        tensor = weight.detach().cpu()
        # safetensors stores row-major tensors only, so a column-major matrix is stored as its transpose, with a suffix
        column_major = tensor.ndim == 2 and not tensor.is_contiguous() and tensor.T.is_contiguous()
        tensor = tensor.T if column_major else tensor.contiguous()
        address = tensor.untyped_storage().data_ptr()
        # safetensors refuses tensors that share memory, such as tied weights
        stored[name + TRANSPOSED if column_major else name] = tensor.clone() if address in addresses else tensor
        addresses.add(address)
    return stored


def _output_dict(output: Output | None) -> dict[str, Any] | None:
    return None if output is None else {"kind": type(output).__name__, **asdict(output)}
