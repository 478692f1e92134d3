"""What the head of a kind of output takes in memory, for estimates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HeadSize:
    """What the head of an output takes beside the backbone; nothing for a linear layer on one vector."""

    parameters: int = 0
    activations: int = 0
    """Numbers that a training step keeps for each row, with those of its loss."""
    encoded: int = 0
    """Numbers that the encoder gives for each row, which a frozen one computes once for all examples."""
    host_bytes: int = 0
    """Main memory that predictions, their scoring and its libraries take, whatever the number of examples."""
