"""The contract of a head, and what it decodes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tlbench.contracts.errors import PluginError
from tlbench.contracts.outputs import Predictions
from tlbench.modeling.data import Batch, Data

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder, Hidden


@dataclass(frozen=True)
class Outputs:
    """What a head decodes from rows, on the CPU: one entry for each row."""

    values: Tensor | Sequence[Any]
    """(B,) class indices or real numbers, (B, K) labels; or a sequence of whatever `merge` reads, one for each row."""
    scores: Tensor | None = None
    """(B, K) probabilities."""

    @property
    def is_finite(self) -> bool:
        """Says whether every number is finite."""
        numbers = [self.values] if isinstance(self.values, Tensor) else list(self.values)
        numbers += [self.scores]
        return all(_finite(part) for part in numbers)

    @staticmethod
    def joined(parts: Sequence[Outputs], order: Sequence[int]) -> Outputs:
        """Returns the rows of all parts as one; `order` says which row of the data each of theirs is."""
        back = np.argsort(order)
        scores = [part.scores for part in parts if part.scores is not None]
        joined_scores = torch.cat(scores)[torch.from_numpy(back)] if scores else None
        tensors = [part.values for part in parts if isinstance(part.values, Tensor)]
        if len(tensors) == len(parts):
            return Outputs(torch.cat(tensors)[torch.from_numpy(back)], joined_scores)
        rows = [row for part in parts for row in part.values]
        return Outputs([rows[i] for i in back.tolist()], joined_scores)


class Head(nn.Module):
    """Maps an encoder's output to a task's answer. Its parameters are the stage above the encoder's last."""

    reads_batch: ClassVar[bool] = False
    """True for a head that decodes from the rows themselves (a decoder that writes on from a prompt): its predictions
    are never made from cached hidden states."""

    def prepare(self, data: Data) -> None:
        """Learns of the training data what must be known before any weight is trained; by default nothing."""

    def asked(self, data: Data) -> Data:
        """Returns the data as it is read where answers are wanted: a decoder leaves out what it is to write.

        The examples stay the same, in the same order; by default so does everything else.
        """
        return data

    @abstractmethod
    def forward(self, encoder: Encoder, hidden: Hidden) -> Any:
        """Returns logits (B, K), (B, T, K), or whatever `loss` and `outputs` read."""

    @abstractmethod
    def loss(self, logits: Any, targets: Tensor) -> Tensor:
        """Returns the mean loss over the batch, a scalar in fp32 at least.

        `targets` are rows of what `targets` returned; those that are sequences are padded to the longest row of the
        data: cut them to the batch.
        """

    @abstractmethod
    def outputs(self, logits: Any) -> Outputs:
        """Returns the answers for a batch of logits."""

    def decode(self, encoder: Encoder, batch: Batch | Hidden, start: int = 0) -> Outputs:
        """Returns the answers for a batch; a generating head goes through `encoder.native` instead."""
        return self.outputs(self(encoder, encoder(batch, start=start)))

    @abstractmethod
    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns one answer per example from the answers per row, in the order of the rows.

        Where an example has several rows (windows), or a row several answers (sub-words), `data.owners` and
        `data.alignment` lead back to the example.
        """

    @abstractmethod
    def targets(self, data: Data) -> Tensor:
        """Returns the targets of the rows as `loss` wants them, (rows, ...)."""


def aligned(data: Data) -> Sequence[np.ndarray]:
    """Returns the data's alignment.

    Raises:
        PluginError: It has none.
    """
    if data.alignment is None:
        raise PluginError("the backbone's featurize gives no alignment, which TokenClasses and Span are read by")
    return data.alignment


def _finite(part: Any) -> bool:
    if isinstance(part, Tensor):
        return bool(torch.isfinite(part).all())
    if isinstance(part, np.ndarray) and part.dtype.kind == "f":
        return bool(np.isfinite(part).all())
    return True
