"""The predictor of a trained model, which can be saved and loaded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tlbench.contracts.errors import Diverged, UsageError
from tlbench.contracts.exports.forms import Exportable
from tlbench.contracts.outputs import Output, Predictions
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.batches import default_tokens, inference_batches
from tlbench.modeling.data import Batch, Data
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.heads import Head, Outputs
from tlbench.modeling.precision import autocast
from tlbench.modeling.predictor_files import read_settings, read_weights, write_predictor
from tlbench.modeling.weights import trained_weights
from tlbench.training.model import Model, placed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tlbench.contracts.fits.job import Job


class ModelPredictor:
    """Predicts with a trained model; hidden states of a frozen prefix come from `activations` unless it is None."""

    def __init__(self, model: Model, precision: str = "fp32", activations: Activations | None = None) -> None:
        self.model = model
        self.precision = precision
        self.activations = activations
        self._saved: frozenset[nn.Parameter] = frozenset()
        self.trainable_parameters = 0
        self.note_trained()

    def predict(self, data: Data) -> Predictions:
        """Returns one prediction for each example of the data, in order.

        Raises:
            Diverged: A prediction is not finite.
        """
        model, device = self.model, self.model.device
        data = model.head.asked(data)
        # A head that reads the batch needs the raw rows beside the hidden states, which the cache does not have.
        cached = model.start > 0 and not data.augmented and not model.head.reads_batch
        if self.activations is not None and cached:
            data = self.activations.hidden(model.encoder, data, model.start, self.precision)
        model.eval()
        order: list[int] = []
        parts: list[Outputs] = []
        for indices in inference_batches(data.lengths, default_tokens(device.type)):
            with torch.inference_mode(), autocast(device, self.precision):
                outputs = self._outputs(placed(data.batch(indices), device))
            if not outputs.is_finite:
                raise Diverged("a prediction is not finite")
            order += indices
            parts.append(outputs)
        # Batches are grouped by length; `joined` restores the order of the rows.
        return model.head.merge([Outputs.joined(parts, order)], data)

    def save(self, folder: Path) -> None:
        """Writes the parameters that training may have changed, all buffers, and the output of the head.

        The parameters are those that were ever trainable, also if they were frozen again later.
        """
        named = self.model.named_parameters()
        trained = {name: weight for name, weight in named if weight in self._saved or weight.requires_grad}
        weights = {**trained, **dict(self.model.named_buffers())}
        write_predictor(folder, type(self).__name__, output_of(self.model.head), weights=weights)

    def exportable(self, *, keep_adapter: bool = False) -> Exportable:
        """Returns encoder and head; the head says what it computes.

        Raises:
            UsageError: The head cannot be exported, or there is no adapter to keep.
        """
        if keep_adapter:
            raise UsageError("there is no adapter of peft in this model: leave --adapter out")
        return self.model.head.exportable(self.model.encoder)

    @classmethod
    def load(cls, model: Model, job: Job, folder: Path) -> ModelPredictor:
        """Returns the predictor that was saved by `save`, on a model of the same architecture.

        The model may have fewer trainable parameters than were saved, as after gradual unfreezing, but not more.

        Raises:
            UsageError: The folder has no such predictor, or its model has different parameters or a different output.
        """
        read_settings(folder, cls.__name__, output_of(model.head))
        weights, buffers = dict(model.named_parameters()), dict(model.named_buffers())
        shapes = {name: tuple(tensor.shape) for name, tensor in [*weights.items(), *buffers.items()]}
        saved = read_weights(folder, shapes, optional={n for n, weight in weights.items() if not weight.requires_grad})
        tensors: dict[str, Tensor] = {name: weights[name] if name in weights else buffers[name] for name in saved}
        for name, tensor in tensors.items():
            if saved[name].dtype != tensor.dtype:
                raise UsageError(f"{folder}: the saved {name} is {saved[name].dtype}, not {tensor.dtype}")
        # Copied only after all checks, so that a damaged file leaves the model as it was.
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(saved[name])
        predictor = cls(model, job.precision, job.activations)
        predictor.note_trained(weight for name, weight in weights.items() if name in saved)
        return predictor

    def note_trained(self, weights: Iterable[nn.Parameter] = (), grouped: Iterable[nn.Parameter] = ()) -> None:
        """Marks parameters as trained: the given ones, all trainable ones, and those that an earlier `train` updated.

        Parameters in `grouped`, an optimiser's groups, are saved even if they are frozen, because a hook may have
        changed them.
        """
        parameters = list(self.model.parameters())
        parts = (self.model, self.model.encoder, self.model.head)
        trained = set(weights).union((w for w in parameters if w.requires_grad), *map(trained_weights, parts))
        self.trainable_parameters = sum(weight.numel() for weight in parameters if weight in trained)
        self._saved |= trained.union(grouped).intersection(parameters)

    def _outputs(self, batch: Batch) -> Outputs:
        hidden = batch.get("hidden")
        if isinstance(hidden, Hidden):
            return self.model.head.outputs(self.model(batch))
        return self.model.head.decode(self.model.encoder, batch)


def output_of(head: Head) -> Output | None:
    """Returns the output of a head, or None for a plugin's head without the attribute `output`."""
    output = getattr(head, "output", None)
    return output if isinstance(output, Output) else None
