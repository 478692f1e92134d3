"""Selects the head for an output: the backbone's own, the output's own, or tlbench's default for its kind."""

from __future__ import annotations

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import PluginError
from tlbench.contracts.outputs import Classes, MultiLabel, Output, Scalar, Span, TokenClasses
from tlbench.modeling.encoder import Encoder
from tlbench.modeling.heads.head import Head
from tlbench.modeling.heads.pooled import PooledHead
from tlbench.modeling.heads.spans import SpanHead
from tlbench.modeling.heads.tokens import TokenHead


def new_head(backbone: Backbone, output: Output, encoder: Encoder) -> Head:
    """Returns a new head for an output on top of a backbone's encoder.

    Raises:
        PluginError: Neither the backbone nor the output brings a head, and tlbench has none for the output.
    """
    head = backbone.head(output, encoder)
    return default_head(output, encoder) if head is None else head


def default_head(output: Output, encoder: Encoder) -> Head:
    """Returns the output's own head or tlbench's default, never the backbone's; raises what `new_head` raises."""
    own = output.head(encoder)
    if own is not None:
        return own
    if isinstance(output, Classes | MultiLabel | Scalar):
        return PooledHead(encoder.width, output)
    if isinstance(output, TokenClasses):
        return TokenHead(encoder.width, output)
    if isinstance(output, Span):
        return SpanHead(encoder.width)
    raise PluginError(f"no head for the output {type(output).__name__}")
