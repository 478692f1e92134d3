"""The form in which a head over a pyramid is exported: a script, its files and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench.contracts.exports.forms import MapsModel, Program

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench_dense.pyramid.feature_maps import FeatureMaps

_STANDALONE = Path(__file__).parent.parent / "standalone"
_MODULES = {
    "map_head_script.py": ("map_decoders.py", "image_windows.py", "class_runs.py", "stage_outputs.py"),
    "box_head_script.py": ("detectors.py", "box_texts.py", "stage_outputs.py"),
    "detr_head_script.py": ("detr_network.py", "box_texts.py"),
}
"""The files that a script uses."""


def maps_model(view: FeatureMaps, script: str, settings: Mapping[str, Any], weights: Mapping[str, Tensor]) -> MapsModel:
    """Returns the form of a head over a pyramid; the arguments but the first are those of `head_program`.

    Raises:
        UsageError: The encoder does not say where its maps are.
    """
    return MapsModel(view.underlying, view.points(), head_program(script, settings, weights))


def head_program(script: str, settings: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Program:
    """Returns a head as a script.

    Args:
        script: The name of the script.
        settings: What the script is told.
        weights: The head's state.
    """
    arrays = {name: one.detach().float() if one.is_floating_point() else one for name, one in weights.items()}
    modules = tuple(_STANDALONE / name for name in _MODULES[script])
    needed = ("pillow", "torch", "transformers" if script.startswith("detr") else "torchvision")
    return Program(_STANDALONE / script, settings, arrays, needed, modules=modules)
