"""What heads on the features of a frozen encoder are trained on, and what the strategies that do it share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tlbench import (
    Backbone,
    Classes,
    Diverged,
    FitEnded,
    Job,
    MultiLabel,
    Output,
    PluginError,
    Predictions,
    Predictor,
    Scalar,
    Strategy,
    TokenClasses,
    Trainable,
    UsageError,
)

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.modeling.activations.activation_cache import Activations
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder, Hidden
    from tlbench.training import Layers, Linear, Model

    FeatureHead: TypeAlias = Linear | Layers


@dataclass(frozen=True, eq=False)
class Sample:
    """The features and targets of a training subset: N examples, or the N words of its examples."""

    features: Tensor
    """(N, D) in fp32 at least."""
    targets: Tensor
    """(N,) class indices in int64, (N, K) labels in fp32, or numbers in fp64 brought to mean 0 and deviation 1."""
    mean: float = 0.0
    """Of the numbers as the task has them."""
    deviation: float = 1.0

    def in_units(self, linear: Linear, output: Output) -> Linear:
        """Returns the map that answers in the task's own numbers."""
        if not isinstance(output, Scalar):
            return linear
        return replace(linear, weight=linear.weight * self.deviation, bias=linear.bias * self.deviation + self.mean)


class FeatureStrategy(Strategy):
    """A strategy that trains many heads at once, on features that were computed once."""

    @abstractmethod
    def heads(self, jobs: Sequence[Job], samples: Sequence[Sample]) -> Sequence[FeatureHead]:
        """Returns a head for each job, trained on its sample; jobs that see the same data have the same sample."""

    def widths(self) -> tuple[int, ...]:
        """Returns the widths of a head's hidden layers; by default there are none."""
        return ()

    def head_of(self, maps: Sequence[Linear]) -> FeatureHead:
        """Returns the head whose layers are these linear maps, one more than there are hidden layers."""
        return maps[0]

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns nothing: the encoder stays as it is."""
        return Trainable(0)

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor of the one setting in `job.params`.

        Raises:
            Diverged: A feature or a weight is not finite.
            PluginError: There are no features for this output.
        """
        (result,) = self.fit_batch([job])
        if isinstance(result, FitEnded):
            raise result
        return result

    def fit_batch(self, jobs: Sequence[Job]) -> list[Predictor | FitEnded]:
        """Returns a predictor for each setting and seed, all trained in one pass."""
        found = samples(jobs)
        kept = [(job, sample) for job, sample in zip(jobs, found, strict=True) if isinstance(sample, Sample)]
        heads = self.heads([job for job, _ in kept], [sample for _, sample in kept]) if kept else []
        trained = iter([predictor(job, head) for (job, _), head in zip(kept, heads, strict=True)])
        return [next(trained) if isinstance(sample, Sample) else sample for sample in found]

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor that was saved.

        Raises:
            UsageError: The folder holds none that this strategy gives on such a job.
        """
        output = job.task.output
        if isinstance(output, TokenClasses):
            from tlbench.training import ModelPredictor

            return ModelPredictor.load(_word_model(job), job, folder)
        answers = len(output.names) if isinstance(output, Classes | MultiLabel) else 1
        return FeaturePredictor.load(job, folder, [job.encoder.width, *self.widths(), answers], self.head_of)


class FeaturePredictor:
    """Answers by a head on the frozen encoder's features, which come from the activations."""

    def __init__(
        self, encoder: Encoder, head: FeatureHead, output: Output, activations: Activations, precision: str
    ) -> None:
        self.encoder = encoder
        self.head = head
        self.output = output
        self.activations = activations
        self.precision = precision
        self.trainable_parameters = head.parameters
        self.parameters_total = sum(weights.numel() for weights in encoder.parameters()) + head.parameters

    def predict(self, data: Data) -> Predictions:
        """Returns an answer for each example of the data, in order.

        Raises:
            Diverged: An answer is not finite.
        """
        logits = self.head(self.activations.features(self.encoder, data, self.precision))
        if not bool(logits.isfinite().all()):
            raise Diverged("an answer is not finite")
        if isinstance(self.output, Scalar):
            return Predictions(data.ids, logits.squeeze(-1).cpu().numpy())
        if isinstance(self.output, MultiLabel):
            return Predictions(data.ids, (logits > 0).long().cpu().numpy(), logits.sigmoid().cpu().numpy())
        scores = logits.softmax(-1).cpu().numpy()
        return Predictions(data.ids, scores.argmax(-1), scores)

    def save(self, folder: Path) -> None:
        """Writes the head; the encoder is as it was loaded."""
        from tlbench.modeling.predictor_files import write_predictor

        maps = self.head.maps if hasattr(self.head, "maps") else (self.head,)
        weights = {f"{layer}.weight": one.weight for layer, one in enumerate(maps)}
        weights |= {f"{layer}.bias": one.bias for layer, one in enumerate(maps)}
        settings = {"activation": getattr(self.head, "activation", None)}
        write_predictor(folder, type(self).__name__, self.output, settings, weights)

    @classmethod
    def load(
        cls, job: Job, folder: Path, widths: Sequence[int], head_of: Callable[[Sequence[Linear]], FeatureHead]
    ) -> FeaturePredictor:
        """Returns the predictor that was saved.

        Args:
            job: Whose encoder and output it is for.
            folder: Where it was saved.
            widths: Of the features, of each hidden layer, and of the answers.
            head_of: Makes a head of its layers.

        Raises:
            UsageError: The folder holds no such predictor.
        """
        from tlbench.modeling.precision import wide
        from tlbench.modeling.predictor_files import read_settings, read_weights
        from tlbench.training import Linear

        output, layers = job.task.output, range(len(widths) - 1)
        settings = read_settings(folder, cls.__name__, output)
        shapes: dict[str, tuple[int, ...]] = {f"{i}.weight": (widths[i + 1], widths[i]) for i in layers}
        weights = read_weights(folder, shapes | {f"{i}.bias": (widths[i + 1],) for i in layers})
        if other := [name for name, weight in weights.items() if weight.dtype != wide(weight.dtype)]:
            raise UsageError(f"{folder}: the saved {other[0]} is {weights[other[0]].dtype}, which is no head's")
        # a copy, since what was read lies in the file
        own = {name: weight.to(job.device, copy=True) for name, weight in weights.items()}
        head = head_of([Linear(own[f"{i}.weight"], own[f"{i}.bias"]) for i in layers])
        if settings != {"activation": getattr(head, "activation", None)}:
            raise UsageError(f"{folder} holds a head of other settings: {settings!s:.80}")
        return cls(job.encoder, head, output, job.activations, job.precision)


def samples(jobs: Sequence[Job]) -> list[Sample | FitEnded]:
    """Returns each job's sample, or why it has none; jobs that see the same data share one.

    Raises:
        PluginError: There are no features for this output.
    """
    found: dict[tuple[int, str], Sample | FitEnded] = {}
    for job in jobs:
        key = id(job.encoder), job.train.fingerprint
        if key not in found:
            try:
                found[key] = sample_of(job)
            except FitEnded as ended:
                found[key] = ended
    return [found[id(job.encoder), job.train.fingerprint] for job in jobs]


def sample_of(job: Job) -> Sample:
    """Returns the features and targets of the job's training subset.

    Raises:
        Diverged: A feature is not finite.
        PluginError: There are no features for this output: neither one vector an example nor one a word.
    """
    import torch

    data, output = job.train, job.task.output
    if isinstance(output, TokenClasses):
        return _finite(_of_words(job))
    if len(data) != len(data.examples):
        raise PluginError("a probe needs one row an example")
    if not isinstance(output, Classes | MultiLabel | Scalar):
        raise PluginError(f"no probe for {type(output).__name__}")
    features = job.activations.features(job.encoder, data, job.precision)
    if isinstance(output, Classes | MultiLabel):
        dtype = torch.int64 if isinstance(output, Classes) else torch.float32
        return _finite(Sample(features, torch.as_tensor(data.targets, dtype=dtype, device=features.device)))
    numbers = torch.as_tensor(data.targets, dtype=torch.float64, device=features.device)
    mean, deviation = numbers.mean(), numbers.std(unbiased=False).clamp(min=1e-6)
    return _finite(Sample(features, (numbers - mean) / deviation, float(mean), float(deviation)))


def predictor(job: Job, head: FeatureHead) -> Predictor | Diverged:
    """Returns what answers with the head, or why it cannot."""
    if not head.is_finite:
        return Diverged("a weight of the probe is not finite")
    if isinstance(job.task.output, TokenClasses):
        return _word_predictor(job, head)
    return FeaturePredictor(job.encoder, head, job.task.output, job.activations, job.precision)


def _finite(sample: Sample) -> Sample:
    if not bool(sample.features.isfinite().all()):
        raise Diverged("a feature is not finite")
    return sample


def _of_words(job: Job) -> Sample:
    """Returns what the frozen encoder puts out where a word begins, for all words of all examples."""
    import numpy as np
    import torch

    from tlbench.modeling.precision import at_least_fp32
    from tlbench.training import inference_batches

    data, encoder = job.train, job.encoder
    if data.alignment is None:
        raise PluginError("the backbone's featurize does not say where words begin: TokenClasses need an alignment")
    places = [np.flatnonzero(words >= 0) for words in data.alignment]
    ends = np.cumsum([len(found) for found in places])
    words = int(ends[-1]) if len(ends) else 0
    features = torch.empty(0, encoder.width, device=encoder.device)
    states = job.activations.hidden(encoder, data, len(encoder.stages), job.precision, whole=True)
    for indices in inference_batches(data.lengths):
        hidden = _last_hidden(job, states, indices)
        rows = np.repeat(np.arange(len(indices)), [len(places[i]) for i in indices])
        columns = np.concatenate([places[i] for i in indices])
        into = np.concatenate([np.arange(ends[i] - len(places[i]), ends[i]) for i in indices])
        read = at_least_fp32(hidden.x[torch.from_numpy(rows), torch.from_numpy(columns)]).to(features.device)
        if not len(features):
            features = read.new_empty(words, encoder.width)
        features[torch.from_numpy(into)] = read
    targets = [
        data.examples[owner].target[word]
        for owner, found, at in zip(data.owners.tolist(), data.alignment, places, strict=True)
        for word in found[at].tolist()
    ]
    return Sample(features, torch.as_tensor(targets, dtype=torch.int64, device=features.device))


def _last_hidden(job: Job, states: Data, indices: Sequence[int]) -> Hidden:
    """Returns what the last stage puts out of these rows, whether it is kept or has to be computed."""
    import torch

    from tlbench.modeling.data import to_device
    from tlbench.modeling.encoder import Hidden
    from tlbench.modeling.precision import autocast

    batch = states.batch(indices)
    kept = batch.get("hidden")
    if isinstance(kept, Hidden):
        return kept
    with torch.no_grad(), autocast(job.device, job.precision):
        computed: Hidden = job.encoder(to_device(batch, job.device))
    return computed


def _word_predictor(job: Job, head: FeatureHead) -> Predictor:
    """Returns the job's own head with these weights: it knows how words become answers."""
    import torch

    from tlbench.training import Linear, ModelPredictor

    if not isinstance(head, Linear):
        raise PluginError(f"a probe of words is a linear layer on every position, not {type(head).__name__}")
    model = _word_model(job)
    linear = model.head.linear
    with torch.no_grad():
        linear.weight.copy_(head.weight)
        linear.bias.copy_(head.bias)
    return ModelPredictor(model, job.precision, job.activations)


def _word_model(job: Job) -> Model:
    """Returns the frozen encoder and the job's own head, whose weights are the probe's."""
    from tlbench.modeling.heads import TokenHead
    from tlbench.training import Model

    if not isinstance(job.head, TokenHead):
        raise PluginError(f"a probe of words needs a linear layer on every position, not {type(job.head).__name__}")
    return Model(job.encoder, job.head, start=len(job.encoder.stages))
