"""Provides heads, which map an encoder's output to a task's predictions, with their loss and decoding."""

from __future__ import annotations

from tlbench.modeling.heads.head import Head, Outputs
from tlbench.modeling.heads.head_choice import default_head, new_head
from tlbench.modeling.heads.pooled import PooledHead
from tlbench.modeling.heads.spans import SpanHead
from tlbench.modeling.heads.tokens import TokenHead

__all__ = ["Head", "Outputs", "PooledHead", "SpanHead", "TokenHead", "default_head", "new_head"]
