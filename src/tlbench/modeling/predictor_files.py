"""A predictor as files: settings in JSON, weights in safetensors, so that reading them executes nothing."""

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
"""Ends the name of a matrix that lies in memory column by column and is stored as its transpose: a product with a copy
that lies otherwise may differ in the last bits."""


def write_predictor(
    folder: Path,
    name: str,
    output: Output | None,
    settings: Mapping[str, Any] | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Writes a predictor into a folder, which is made where there is none.

    Args:
        folder: Where to.
        name: The predictor's class, by which it is known again.
        output: What it answers with; None where nobody knows.
        settings: Values that JSON has.
        weights: On any device; without them there is no file of weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = {"predictor": name, "output": _described(output), "settings": settings or {}}
    (folder / SETTINGS).write_text(json.dumps(written), encoding="utf-8")
    if weights is not None:
        from safetensors.torch import save_file

        save_file(_stored(weights), str(folder / WEIGHTS))


def read_settings(folder: Path, name: str, output: Output | None) -> dict[str, Any]:
    """Returns the settings of a predictor that was written under this name for this output.

    Raises:
        UsageError: There is no such predictor in the folder, or its file is damaged.
    """
    try:
        found = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{folder / SETTINGS}: no predictor can be read from it: {error}") from error
    settings = found.get("settings") if isinstance(found, dict) else None
    if not isinstance(settings, dict):
        raise UsageError(f"{folder / SETTINGS} does not describe a predictor")
    if found.get("predictor") != name:
        raise UsageError(f"{folder / SETTINGS} describes a {found.get('predictor')!s:.80}, not a {name}")
    # what JSON makes of tuples are lists
    if found.get("output") != json.loads(json.dumps(_described(output))):
        raise UsageError(f"{folder / SETTINGS} describes a predictor of another output than {type(output).__name__}")
    return settings


def read_weights(
    folder: Path, shapes: Mapping[str, tuple[int, ...]], optional: Collection[str] = ()
) -> dict[str, Tensor]:
    """Returns the weights that were written, on the CPU, as they lay in memory.

    Args:
        folder: Where they are.
        shapes: What may be there.
        optional: What of it need not be there.

    Raises:
        UsageError: The file cannot be read, lacks one of these, or has weights of other names or shapes.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    try:
        stored = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: no weights can be read from it: {error}") from error
    found = {name.removesuffix(TRANSPOSED): w.T if name.endswith(TRANSPOSED) else w for name, w in stored.items()}
    if names := sorted((found.keys() - shapes.keys()) | (shapes.keys() - found.keys() - set(optional))):
        raise UsageError(f"{path} has other weights than this predictor: {', '.join(names[:3])}")
    for name, weight in found.items():
        if tuple(weight.shape) != shapes[name]:
            raise UsageError(f"{path}: {name} is {tuple(weight.shape)}, not {shapes[name]}")
    return found


def _stored(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    stored: dict[str, Tensor] = {}
    places = set()
    for name, weight in weights.items():
        here = weight.detach().cpu()
        by_column = here.ndim == 2 and not here.is_contiguous() and here.T.is_contiguous()
        here = here.T if by_column else here.contiguous()
        place = here.untyped_storage().data_ptr()
        # safetensors refuses tensors that share memory
        stored[name + TRANSPOSED if by_column else name] = here.clone() if place in places else here
        places.add(place)
    return stored


def _described(output: Output | None) -> dict[str, Any] | None:
    return None if output is None else {"kind": type(output).__name__, **asdict(output)}
