"""Heads: what turns an encoder's output into a task's answer, with its loss and its decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlbench.contracts.errors import PluginError
from tlbench.contracts.outputs import Classes, MultiLabel, Output, Scalar
from tlbench.modeling.heads.head import Head, Outputs
from tlbench.modeling.heads.pooled import PooledHead

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder

__all__ = ["Head", "Outputs", "PooledHead", "default_head"]


def default_head(output: Output, encoder: Encoder) -> Head:
    """Returns a new head for the output on top of the encoder.

    Raises:
        PluginError: There is no head for this kind of output yet.
    """
    if isinstance(output, Classes | MultiLabel | Scalar):
        return PooledHead(encoder.width, output)
    raise PluginError(f"no head for the output {type(output).__name__}")
