"""Heads: what turns an encoder's output into a task's answer, with its loss and its decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlbench.contracts.errors import PluginError
from tlbench.contracts.outputs import Classes, MultiLabel, Output, Scalar, Span, TokenClasses
from tlbench.modeling.heads.head import Head, Outputs
from tlbench.modeling.heads.pooled import PooledHead
from tlbench.modeling.heads.spans import SpanHead
from tlbench.modeling.heads.tokens import TokenHead

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder

__all__ = ["Head", "Outputs", "PooledHead", "SpanHead", "TokenHead", "default_head"]


def default_head(output: Output, encoder: Encoder) -> Head:
    """Returns a new head for the output on top of the encoder.

    Raises:
        PluginError: The output is a text: whoever brings a decoder brings its head.
    """
    if isinstance(output, Classes | MultiLabel | Scalar):
        return PooledHead(encoder.width, output)
    if isinstance(output, TokenClasses):
        return TokenHead(encoder.width, output)
    if isinstance(output, Span):
        return SpanHead(encoder.width)
    raise PluginError(f"no head for the output {type(output).__name__}")
