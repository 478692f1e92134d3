"""The features and targets that a probe is trained on, one vector per example or per word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tlbench import Classes, Diverged, FitEnded, Job, MultiLabel, Output, PluginError, Scalar, TokenClasses
from tlbench_finetune.probes.pair_features import Pairs, features_of

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Hidden
    from tlbench.training import ClassWeight, Linear


@dataclass(frozen=True, eq=False)
class Sample:
    """Features and targets of a training subset of N examples, or of the N words of its examples."""

    features: Tensor
    """(N, D), fp32 or wider."""
    targets: Tensor
    """(N,) int64 class indices, (N, K) fp32 labels, or (N,) fp64 numbers standardised to mean 0 and deviation 1."""
    mean: float = 0.0
    """Mean of the original regression targets; 0 for other outputs."""
    deviation: float = 1.0
    """Standard deviation of the original regression targets; 1 for other outputs."""
    row_weights: Tensor | None = None
    """(N,) fp64, the weight of each row's class in the mean loss; None for equal weights."""
    components: int | None = None
    """The number of principal components that are read of the features; None for all."""
    whitens: bool = False
    """Whether the components are scaled to variance 1."""

    def in_units(self, linear: Linear, output: Output) -> Linear:
        """Returns the linear map rescaled so that it predicts regression targets in the task's own units."""
        if not isinstance(output, Scalar):
            return linear
        return replace(linear, weight=linear.weight * self.deviation, bias=linear.bias * self.deviation + self.mean)


def samples(
    jobs: Sequence[Job], class_weight: ClassWeight | None = None, pairs: Pairs = "joined"
) -> list[Sample | FitEnded]:
    """Returns each job's sample, or the error raised while computing its features; equal data share one sample object.

    Raises:
        PluginError: The output has no per-example or per-word features.
    """
    by_data: dict[tuple[int, str], Sample | FitEnded] = {}
    for job in jobs:
        # Jobs of one batch may differ in their training subset (seeds), but not in what the frozen encoder computes.
        key = id(job.encoder), job.train.fingerprint
        if key not in by_data:
            try:
                by_data[key] = sample_of(job, class_weight, pairs)
            except FitEnded as ended:
                by_data[key] = ended
    return [by_data[id(job.encoder), job.train.fingerprint] for job in jobs]


def sample_of(job: Job, class_weight: ClassWeight | None = None, pairs: Pairs = "joined") -> Sample:
    """Returns the features and targets of the job's training subset, and row weights if classes are weighted.

    Raises:
        Diverged: A feature is not finite.
        PluginError: The output has neither one feature vector per example nor one per word.
    """
    sample = _unweighted(job, pairs)
    if class_weight is None:
        return sample
    from tlbench.training import balanced_weights

    weights = balanced_weights(sample.targets, len(job.task.output.classes))
    return replace(sample, row_weights=weights[sample.targets])


def _unweighted(job: Job, pairs: Pairs) -> Sample:
    import torch

    data, output = job.train, job.task.output
    if isinstance(output, TokenClasses):
        return _finite(_word_sample(job))
    if len(data) != len(data.examples):
        raise PluginError("a probe needs one row per example, but featurize returned several rows for some examples")
    if not isinstance(output, Classes | MultiLabel | Scalar):
        raise PluginError(f"a probe has no features for {type(output).__name__}: choose another strategy")
    features = features_of(job, data, pairs)
    if isinstance(output, Classes | MultiLabel):
        dtype = torch.int64 if isinstance(output, Classes) else torch.float32
        return _finite(Sample(features, torch.as_tensor(data.targets, dtype=dtype, device=features.device)))
    # fp64 and a floor under the deviation: with constant targets the standardisation would divide by zero.
    numbers = torch.as_tensor(data.targets, dtype=torch.float64, device=features.device)
    mean, deviation = numbers.mean(), numbers.std(unbiased=False).clamp(min=1e-6)
    return _finite(Sample(features, (numbers - mean) / deviation, float(mean), float(deviation)))


def _finite(sample: Sample) -> Sample:
    if not bool(sample.features.isfinite().all()):
        raise Diverged("a feature is not finite")
    return sample


def _word_sample(job: Job) -> Sample:
    """Returns one row per word of the training subset: the last hidden state at its first sub-word, and its class."""
    import numpy as np
    import torch

    from tlbench.modeling.precision import at_least_fp32
    from tlbench.training import inference_batches

    data, encoder = job.train, job.encoder
    if data.alignment is None:
        raise PluginError("the backbone's featurize returned no alignment of words to tokens, which TokenClasses need")
    # `alignment` holds a word's index at its first token and -1 at every other token.
    first_tokens = [np.flatnonzero(words >= 0) for words in data.alignment]
    # The words of row i are at slots ends[i] - len(positions) to ends[i].
    ends = np.cumsum([len(positions) for positions in first_tokens])
    words = int(ends[-1]) if len(ends) else 0
    features = torch.empty(0, encoder.width, device=encoder.device)
    # Whole sequences, not the readout: each word needs the hidden state at its own position.
    states = job.activations.hidden(encoder, data, len(encoder.stages), job.precision, whole=True)
    # Batches hold rows of about equal length, so results are scattered to the slots of their rows.
    for indices in inference_batches(data.lengths):
        hidden = _last_hidden(job, states, indices)
        rows = np.repeat(np.arange(len(indices)), [len(first_tokens[i]) for i in indices])
        columns = np.concatenate([first_tokens[i] for i in indices])
        slots = np.concatenate([np.arange(ends[i] - len(first_tokens[i]), ends[i]) for i in indices])
        # bf16 is too coarse for a solver that runs to convergence.
        values = at_least_fp32(hidden.x[torch.from_numpy(rows), torch.from_numpy(columns)]).to(features.device)
        if not len(features):
            # Allocated here, because the dtype that the encoder returns is known only after the first batch.
            features = values.new_empty(words, encoder.width)
        features[torch.from_numpy(slots)] = values
    targets = [
        data.examples[owner].target[word]
        for owner, words_of_row, positions in zip(data.owners.tolist(), data.alignment, first_tokens, strict=True)
        for word in words_of_row[positions].tolist()
    ]
    return Sample(features, torch.as_tensor(targets, dtype=torch.int64, device=features.device))


def _last_hidden(job: Job, states: Data, indices: Sequence[int]) -> Hidden:
    """Returns the last stage's output for the rows `indices`, from the cache if it is there, otherwise computed."""
    import torch

    from tlbench.modeling.data import to_device
    from tlbench.modeling.encoder import Hidden
    from tlbench.modeling.precision import autocast

    batch = states.batch(indices)
    cached = batch.get("hidden")
    # Where the cache has no room, in memory or on disk, `states` is the data itself and yields token ids.
    if isinstance(cached, Hidden):
        return cached
    with torch.no_grad(), autocast(job.device, job.precision):
        computed: Hidden = job.encoder(to_device(batch, job.device))
    return computed
