"""Defines the interface of a head, and the outputs that it decodes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tlbench.contracts.errors import PluginError, UsageError
from tlbench.contracts.exports.forms import Exportable
from tlbench.contracts.outputs import Predictions
from tlbench.modeling.data import Batch, Data

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder, Hidden


@dataclass(frozen=True)
class Outputs:
    """The decoded outputs of a batch, on the CPU, with one entry per row."""

    values: Tensor | Sequence[Any]
    """(B,) class indices or real numbers, or (B, K) labels; else a sequence of B objects that `Head.merge` reads."""
    scores: Tensor | None = None
    """(B, K) probabilities."""

    @property
    def is_finite(self) -> bool:
        """Whether all numbers are finite."""
        numbers = [self.values] if isinstance(self.values, Tensor) else list(self.values)
        numbers += [self.scores]
        return all(_finite(part) for part in numbers)

    @staticmethod
    def joined(parts: Sequence[Outputs], order: Sequence[int]) -> Outputs:
        """Returns the outputs of several batches as one, in the order of the data.

        Args:
            parts: The outputs of all batches.
            order: For each row of the parts its index in the data; a permutation of all rows.
        """
        # batches are grouped by length, not in the order of the data; argsort of a permutation is its inverse
        back = np.argsort(order)
        scores = [part.scores for part in parts if part.scores is not None]
        joined_scores = torch.cat(scores)[torch.from_numpy(back)] if scores else None
        tensors = [part.values for part in parts if isinstance(part.values, Tensor)]
        if len(tensors) == len(parts):
            return Outputs(torch.cat(tensors)[torch.from_numpy(back)], joined_scores)
        rows = [row for part in parts for row in part.values]
        return Outputs([rows[i] for i in back.tolist()], joined_scores)


class Head(nn.Module):
    """Maps an encoder's output to predictions. Its parameters form one more stage, above the encoder's last stage."""

    reads_batch: ClassVar[bool] = False
    """Whether the head decodes from the batch itself, as a causal decoder that continues a prompt does. Such a head
    never predicts from cached hidden states."""

    def prepare(self, data: Data) -> None:
        """Sets values that are computed from the training data but not trained, such as the scale of targets.

        The default does nothing.

        Args:
            data: The labelled training data.
        """

    def weigh_classes(self, weights: Tensor) -> None:
        """Sets the weight of each class in the loss: the loss of a batch becomes the weighted mean over its targets.

        Not called unless a strategy weighs classes. Override it in a head whose loss is a cross-entropy of classes.

        Args:
            weights: (K,) fp64, on the head's device.

        Raises:
            PluginError: The head has no class weights; this is the default.
        """
        raise PluginError(f"the loss of {type(self).__name__} has no class weights: leave class_weight out")

    def smooth_labels(self, factor: float) -> None:
        """Sets the label smoothing of the loss: a target has probability 1 - factor, and factor is divided over all.

        Not called unless a strategy smooths labels. Override it in a head whose loss is a cross-entropy of classes
        (Szegedy et al. 2016, arXiv:1512.00567).

        Raises:
            PluginError: The head has no label smoothing; this is the default.
        """
        raise PluginError(f"the loss of {type(self).__name__} has no label smoothing: leave label_smoothing_factor out")

    def augmented(self, data: Data) -> Data | None:
        """Returns the data with inputs that change at random each time they are read, and targets that move with them.

        Called where a strategy augments images. Batches then have "targets", which replace those of `targets`. The
        default, None, stands for targets that stay as they are when an image is flipped or shifted.
        """
        return None

    def asked(self, data: Data) -> Data:
        """Returns the data to use for inference; by default the data itself.

        A decoder that reads its target as part of a row removes it here, so that predictions cannot depend on it. The
        examples and their order must stay the same.
        """
        return data

    @abstractmethod
    def forward(self, encoder: Encoder, hidden: Hidden) -> Any:
        """Returns logits, (B, K) or (B, T, K), or any object that `loss` and `outputs` read."""

    @abstractmethod
    def loss(self, logits: Any, targets: Tensor) -> Tensor:
        """Returns the mean loss over the batch, a scalar in fp32 or fp64.

        Args:
            logits: The result of `forward`.
            targets: The batch's rows of the tensor that `targets` returns. Sequences are padded to the longest row of
                all the data, so cut them to the length of the batch.
        """

    def loss_terms(self, targets: Tensor) -> Tensor:
        """Returns how many terms the mean of `loss` is over, or the sum of their weights, as a scalar.

        By default one for each row. A batch that does not fit in memory is trained in parts, whose losses are averaged
        with these weights.

        Args:
            targets: The batch's rows of the tensor that `targets` returns.
        """
        return torch.tensor(float(len(targets)))

    def log_likelihood(self, logits: Any, targets: Tensor) -> Tensor:
        """Returns the log-probability of each row's target, (B,) in fp32 or fp64; override it in a head for texts.

        Args:
            logits: The result of `forward`.
            targets: The batch's rows of the tensor that `targets` returns.

        Raises:
            PluginError: The head gives no probabilities of whole targets; this is the default.
        """
        raise PluginError(f"{type(self).__name__} gives no probabilities of whole targets")

    @abstractmethod
    def outputs(self, logits: Any) -> Outputs:
        """Decodes the logits of a batch."""

    def decode(self, encoder: Encoder, batch: Batch | Hidden, start: int = 0) -> Outputs:
        """Runs the encoder from stage `start` and decodes a batch; override it to generate with `encoder.native`."""
        return self.outputs(self(encoder, encoder(batch, start=start)))

    @abstractmethod
    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns one prediction per example from the outputs per row.

        Several rows (windows) may belong to one example, and several positions (sub-words) to one word: map them back
        by `data.owners` and `data.alignment`.

        Args:
            outputs: The outputs of all rows, in the order of the rows.
            data: The rows.
        """

    def exportable(self, encoder: Encoder) -> Exportable:
        """Returns encoder and head in a form that can be exported.

        Raises:
            UsageError: The head has no such form; this is the default.
        """
        raise UsageError(f"{type(self).__name__} cannot be exported: it does not say what it computes")

    @abstractmethod
    def targets(self, data: Data) -> Tensor:
        """Returns the targets of all rows in the form that `loss` takes, (rows, ...)."""


def required_alignment(data: Data) -> Sequence[np.ndarray]:
    """Returns the data's alignment.

    Raises:
        PluginError: The data has none.
    """
    if data.alignment is None:
        raise PluginError("the backbone's featurize gives no alignment: TokenClasses and Span need one array per row")
    return data.alignment


def _finite(part: Any) -> bool:
    if isinstance(part, Tensor):
        return bool(torch.isfinite(part).all())
    # numpy's isfinite refuses objects, such as generated texts
    if isinstance(part, np.ndarray) and part.dtype.kind == "f":
        return bool(np.isfinite(part).all())
    return True
