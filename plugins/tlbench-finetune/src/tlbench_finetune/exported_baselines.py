"""The exported form of strategies that use no backbone: a script and what it reads. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tlbench import UsageError
from tlbench.contracts.exports.forms import Program


def baseline_program(
    kind: str, settings: Mapping[str, Any], arrays: Mapping[str, Any] | None = None, requirements: tuple[str, ...] = ()
) -> Program:
    """Returns the script `baseline_script.py` with what it reads.

    Args:
        kind: The name of one of the script's predictors.
        settings: Its settings.
        arrays: NumPy arrays by name.
        requirements: Distributions that it takes, beside NumPy and safetensors.
    """
    import numpy as np
    import torch

    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in (arrays or {}).items()}
    script = Path(__file__).with_name("baseline_script.py")
    return Program(script, {"predictor": kind, **settings}, tensors, requirements, decoded=kind != "linear")


def no_adapter(wanted: bool) -> None:
    """Does nothing unless an adapter is to be kept.

    Raises:
        UsageError: There is no adapter of peft.
    """
    if wanted:
        raise UsageError("there is no adapter of peft in this model: leave --adapter out")
