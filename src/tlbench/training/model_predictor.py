"""The predictor of a trained model, and its files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tlbench.contracts.errors import Diverged, UsageError
from tlbench.contracts.outputs import Output, Predictions
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.batches import default_tokens, inference_batches
from tlbench.modeling.data import Batch, Data
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.heads import Head, Outputs
from tlbench.modeling.precision import autocast
from tlbench.modeling.predictor_files import read_settings, read_weights, write_predictor
from tlbench.modeling.trained_weights import trained_weights
from tlbench.training.model import Model, placed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tlbench.contracts.strategy import Job


class ModelPredictor:
    """Answers with a trained model; hidden states of a frozen prefix come from the activations, if given."""

    def __init__(self, model: Model, precision: str = "fp32", activations: Activations | None = None) -> None:
        self.model = model
        self.precision = precision
        self.activations = activations
        self._saved: frozenset[nn.Parameter] = frozenset()
        self.trainable_parameters = 0
        self.note_trained()

    def predict(self, data: Data) -> Predictions:
        """Returns an answer for each example of the data, in order.

        Raises:
            Diverged: An answer is not finite.
        """
        model, device = self.model, self.model.device
        data = model.head.asked(data)
        cached = model.start > 0 and not data.augmented and not model.head.reads_batch
        if self.activations is not None and cached:
            data = self.activations.hidden(model.encoder, data, model.start, self.precision)
        model.eval()
        order: list[int] = []
        parts: list[Outputs] = []
        for indices in inference_batches(data.lengths, default_tokens(device.type)):
            with torch.inference_mode(), autocast(device, self.precision):
                outputs = self._answer(placed(data.batch(indices), device))
            if not outputs.is_finite:
                raise Diverged("an answer is not finite")
            order += indices
            parts.append(outputs)
        return model.head.merge([Outputs.joined(parts, order)], data)

    def save(self, folder: Path) -> None:
        """Writes what training may have changed, and what the model answers with.

        That is each weight that was ever trained, frozen again or not, and all buffers.
        """
        named = self.model.named_parameters()
        trained = {name: weight for name, weight in named if weight in self._saved or weight.requires_grad}
        weights = {**trained, **dict(self.model.named_buffers())}
        write_predictor(folder, type(self).__name__, output_of(self.model.head), weights=weights)

    @classmethod
    def load(cls, model: Model, job: Job, folder: Path) -> ModelPredictor:
        """Returns the predictor that `save` wrote, on a model that was built as the saved one was.

        It need not be frozen as the saved one was in the end: what was saved may hold more weights than are trainable,
        as after gradual unfreezing, and no fewer.

        Raises:
            UsageError: The folder holds no such predictor, or one of a model with other weights or another output.
        """
        read_settings(folder, cls.__name__, output_of(model.head))
        weights, buffers = dict(model.named_parameters()), dict(model.named_buffers())
        shapes = {name: tuple(tensor.shape) for name, tensor in [*weights.items(), *buffers.items()]}
        saved = read_weights(folder, shapes, optional={n for n, weight in weights.items() if not weight.requires_grad})
        tensors: dict[str, Tensor] = {name: weights[name] if name in weights else buffers[name] for name in saved}
        for name, tensor in tensors.items():
            if saved[name].dtype != tensor.dtype:
                raise UsageError(f"{folder}: the saved {name} is {saved[name].dtype}, not {tensor.dtype}")
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(saved[name])
        predictor = cls(model, job.precision, job.activations)
        predictor.note_trained(weight for name, weight in weights.items() if name in saved)
        return predictor

    def note_trained(self, weights: Iterable[nn.Parameter] = (), grouped: Iterable[nn.Parameter] = ()) -> None:
        """Counts as trained what is trainable now, these weights, and what `train` has moved of the model's parts.

        Those of an optimiser's groups are saved with them, trainable or not: something may have written into them.
        """
        own = list(self.model.parameters())
        parts = (self.model, self.model.encoder, self.model.head)
        trained = set(weights).union((w for w in own if w.requires_grad), *map(trained_weights, parts))
        self.trainable_parameters = sum(weight.numel() for weight in own if weight in trained)
        self._saved |= trained.union(grouped).intersection(own)

    def _answer(self, batch: Batch) -> Outputs:
        hidden = batch.get("hidden")
        if isinstance(hidden, Hidden):
            return self.model.head.outputs(self.model(batch))
        return self.model.head.decode(self.model.encoder, batch)


def output_of(head: Head) -> Output | None:
    """Returns what a head answers with, where it says so as the package's own do."""
    output = getattr(head, "output", None)
    return output if isinstance(output, Output) else None
