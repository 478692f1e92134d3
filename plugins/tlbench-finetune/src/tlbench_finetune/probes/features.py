"""Base class and predictors of the strategies that train heads on a frozen encoder's features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tlbench import (
    Backbone,
    Classes,
    Diverged,
    FitEnded,
    Job,
    MultiLabel,
    PluginError,
    Predictions,
    Predictor,
    Scalar,
    TokenClasses,
    Trainable,
    UsageError,
)
from tlbench.contracts.exports.forms import DenseHead, FeatureModel
from tlbench_finetune.exported_baselines import no_adapter
from tlbench_finetune.probes.pair_features import Pairs, ReadsPairs, features_of, widths_of
from tlbench_finetune.probes.samples import Sample, samples

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.training import Layers, Linear, Model

    FeatureHead: TypeAlias = Linear | Layers


class FeatureStrategy(ReadsPairs):
    """Base class of strategies that train many heads in one pass, on features that are computed once."""

    @abstractmethod
    def heads(self, jobs: Sequence[Job], samples: Sequence[Sample]) -> Sequence[FeatureHead]:
        """Returns one trained head per job; jobs with equal training data share one sample object."""

    def widths(self) -> tuple[int, ...]:
        """Returns the widths of the head's hidden layers; empty by default, for a linear head."""
        return ()

    def head_of(self, maps: Sequence[Linear]) -> FeatureHead:
        """Returns a head built from its linear layers, in order from input to output."""
        return maps[0]

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns `Trainable(0)`, because no encoder stage is trained."""
        return Trainable(0)

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor trained with the params of one job.

        Raises:
            Diverged: A feature or a weight is not finite.
            PluginError: The output has no per-example or per-word features.
        """
        (result,) = self.fit_batch([job])
        # `fit_batch` returns errors, so that one failed trial does not lose the others; a single fit raises its error.
        if isinstance(result, FitEnded):
            raise result
        return result

    def fit_batch(self, jobs: Sequence[Job]) -> list[Predictor | FitEnded]:
        """Returns one predictor, or the reason it failed, for each job; all heads are trained in one pass."""
        # Jobs of one cell share backbone and task.
        pairs = self.pairs_in(jobs[0])
        results = samples(jobs, self.class_weight, pairs)
        usable = [(job, sample) for job, sample in zip(jobs, results, strict=True) if isinstance(sample, Sample)]
        heads = self.heads([job for job, _ in usable], [sample for _, sample in usable]) if usable else []
        # Jobs whose features are not finite keep their error; the others take the next trained head in order.
        trained = iter([predictor(job, head, pairs) for (job, _), head in zip(usable, heads, strict=True)])
        return [next(trained) if isinstance(sample, Sample) else sample for sample in results]

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no predictor of this strategy for the job's output.
        """
        output = job.task.output
        if isinstance(output, TokenClasses):
            from tlbench.training import ModelPredictor

            # A word probe is saved as a token head, which maps tokens back to words (see `_word_predictor`).
            return ModelPredictor.load(_word_model(job), job, folder)
        outputs = len(output.names) if isinstance(output, Classes | MultiLabel) else 1
        pairs = self.pairs_in(job)
        widths = [sum(widths_of(job, pairs)), *self.widths(), outputs]
        return FeaturePredictor.load(job, folder, widths, self.head_of, pairs)


class FeaturePredictor:
    """Predicts with a head on the frozen encoder's features, which are read from the activation cache."""

    def __init__(self, job: Job, head: FeatureHead, pairs: Pairs = "joined") -> None:
        self.job = job
        self.encoder = job.encoder
        self.head = head
        self.output = job.task.output
        self.pairs: Pairs = pairs
        self.trainable_parameters = head.parameters
        # The head is no module, so its weights are not among the encoder's parameters.
        self.parameters_total = sum(weights.numel() for weights in job.encoder.parameters()) + head.parameters

    def predict(self, data: Data) -> Predictions:
        """Returns one prediction per example of the data, in order.

        Raises:
            Diverged: A logit is not finite.
            PluginError: The texts are to be read separately, but an example is no pair, or a text has several rows.
        """
        logits = self.head(features_of(self.job, data, self.pairs))
        if not bool(logits.isfinite().all()):
            raise Diverged("a prediction is not finite")
        if isinstance(self.output, Scalar):
            return Predictions(data.ids, logits.squeeze(-1).cpu().numpy())
        if isinstance(self.output, MultiLabel):
            # A logit above 0 is a probability above one half.
            return Predictions(data.ids, (logits > 0).long().cpu().numpy(), logits.sigmoid().cpu().numpy())
        scores = logits.softmax(-1).cpu().numpy()
        return Predictions(data.ids, scores.argmax(-1), scores)

    def exportable(self, *, keep_adapter: bool = False) -> FeatureModel:
        """Returns the frozen encoder and the head; the scale of the features is in its weights."""
        no_adapter(keep_adapter)
        maps = self.head.maps if hasattr(self.head, "maps") else (self.head,)
        layers = tuple((one.weight, one.bias) for one in maps)
        return FeatureModel(self.encoder, DenseHead(layers, getattr(self.head, "activation", None)), self.pairs)

    def save(self, folder: Path) -> None:
        """Writes the head's weights alone, since the encoder is unchanged."""
        from tlbench.modeling.predictor_files import write_predictor

        # A linear head is one map; only a network of several layers has `maps`.
        maps = self.head.maps if hasattr(self.head, "maps") else (self.head,)
        weights = {f"{layer}.weight": one.weight for layer, one in enumerate(maps)}
        weights |= {f"{layer}.bias": one.bias for layer, one in enumerate(maps)}
        write_predictor(folder, type(self).__name__, self.output, _settings(self.head, self.pairs), weights)

    @classmethod
    def load(
        cls,
        job: Job,
        folder: Path,
        widths: Sequence[int],
        head_of: Callable[[Sequence[Linear]], FeatureHead],
        pairs: Pairs = "joined",
    ) -> FeaturePredictor:
        """Returns the predictor saved in a folder.

        Args:
            job: Gives the encoder and the output.
            folder: Where the predictor was saved.
            widths: Width of the features, of each hidden layer and of the output, in order.
            head_of: Builds a head from its linear layers.
            pairs: How two texts are read.

        Raises:
            UsageError: The folder holds no such predictor, or one whose shape, dtype or activation differs.
        """
        from tlbench.modeling.precision import wide
        from tlbench.modeling.predictor_files import read_settings, read_weights
        from tlbench.training import Linear

        output, layers = job.task.output, range(len(widths) - 1)
        settings = read_settings(folder, cls.__name__, output)
        shapes: dict[str, tuple[int, ...]] = {f"{i}.weight": (widths[i + 1], widths[i]) for i in layers}
        weights = read_weights(folder, shapes | {f"{i}.bias": (widths[i + 1],) for i in layers})
        if wrong_dtypes := [name for name, weight in weights.items() if weight.dtype != wide(weight.dtype)]:
            dtype = weights[wrong_dtypes[0]].dtype
            raise UsageError(
                f"{folder}: the saved {wrong_dtypes[0]} is {dtype}; a head is fp32 or fp64: save the predictor again"
            )
        # Copied because the tensors are views of the memory-mapped file, which may be deleted or overwritten.
        own = {name: weight.to(job.device, copy=True) for name, weight in weights.items()}
        head = head_of([Linear(own[f"{i}.weight"], own[f"{i}.bias"]) for i in layers])
        # A gelu network that is loaded as relu would predict without any error.
        if settings != _settings(head, pairs):
            raise UsageError(f"{folder} holds a head with other params: {settings!s:.80}")
        return cls(job, head, pairs)


def _settings(head: FeatureHead, pairs: Pairs) -> dict[str, Any]:
    """Returns what a saved head must have in common with the one that is loaded."""
    settings = {"activation": getattr(head, "activation", None)}
    # Left out where texts are joined, as in heads that were saved before there was a choice.
    return settings if pairs == "joined" else settings | {"pairs": pairs}


def predictor(job: Job, head: FeatureHead, pairs: Pairs = "joined") -> Predictor | Diverged:
    """Returns the predictor for a trained head, or `Diverged` if one of its weights is not finite."""
    if not head.is_finite:
        return Diverged("a weight of the probe is not finite")
    if isinstance(job.task.output, TokenClasses):
        return _word_predictor(job, head)
    return FeaturePredictor(job, head, pairs)


def _word_predictor(job: Job, head: FeatureHead) -> Predictor:
    """Returns a predictor with the job's own token head, which maps tokens back to words, and the probe's weights."""
    import torch

    from tlbench.training import Linear, ModelPredictor

    if not isinstance(head, Linear):
        raise PluginError(f"a probe of words must be one linear layer per token, not {type(head).__name__}")
    model = _word_model(job)
    linear: Any = model.head.linear
    with torch.no_grad():
        # copy_ into a parameter that requires gradients is an error outside no_grad.
        linear.weight.copy_(head.weight)
        linear.bias.copy_(head.bias)
    predictor = ModelPredictor(model, job.precision, job.activations)
    predictor.trainable_parameters = head.parameters
    return predictor


def _word_model(job: Job) -> Model:
    """Returns the frozen encoder with the job's own token head, whose weights the probe replaces."""
    from tlbench.modeling.heads import TokenHead
    from tlbench.training import Model

    if not isinstance(job.head, TokenHead):
        raise PluginError(
            f"a probe of words needs a TokenHead (one linear layer per token), not {type(job.head).__name__}"
        )
    # Training begins after the last stage: the encoder stays frozen, and its cached output is read.
    return Model(job.encoder, job.head, start=len(job.encoder.stages))
