"""The base class of kinds of output, and the predictions of N examples in any of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from tlbench.contracts.kinds.head_size import HeadSize

# For type checkers only: `tlbench plan` and `list` import this module without NumPy and torch.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tlbench.contracts.backbone import Card
    from tlbench.contracts.fits.class_scores import ClassReport
    from tlbench.contracts.task import Example
    from tlbench.metrics.scored import Scored
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head

    Arrays: TypeAlias = tuple[NDArray[Any], NDArray[Any]]

PredictionForm = Literal["numbers", "labels", "tags", "texts"]
"""The form of one example's prediction in storage and in metrics: a number (also a class index), a row of 0 and 1
(multi-hot labels), a tuple of tags (one per word), or a text that is compared with several accepted ones. Anything
else, such as arrays and structures, comes as a text that encodes it; `Output.arrays` encodes the targets."""
Reads = Literal["example", "words", "context", "prompt", "map"]
"""The input of the head: one vector per example, per word or per position of a context, a prompt to complete, or maps
of the features of a whole image."""
Region: TypeAlias = tuple[int, int, int, int]
"""A part of an image: left, top, right and bottom in pixels."""


@dataclass(frozen=True)
class Output:
    """A kind of output, such as one of several classes: subclass it as a frozen dataclass with the details as fields.

    A subclass declares which targets are valid, in which of the four forms of `PredictionForm` predictions come, and
    which head predicts them. `target_error` must be overridden, and `head` too unless every backbone in use has a head
    for this kind of output. Predictions are then stored, scored, resampled and ranked like those of tlbench's own.

    Example:
        from dataclasses import dataclass
        from typing import ClassVar

        from tlbench import Output

        @dataclass(frozen=True)
        class Grade(Output):
            names: tuple[str, ...]

            kind: ClassVar[str] = "grade"
            answers: ClassVar[str] = "numbers"
            whole: ClassVar[bool] = True

            @property
            def classes(self):
                return self.names

            def target_error(self, example):
                valid = isinstance(example.target, int) and 0 <= example.target < len(self.names)
                return None if valid else f"{example.target!r} is not the index of a grade"

            def class_indices(self, target):
                return {target}

            def head(self, encoder):
                from tlbench import Classes
                from tlbench.modeling.heads import PooledHead

                return PooledHead(encoder.width, Classes(self.names))
    """

    kind: ClassVar[str]
    """The name in kebab-case, used by `tlbench list tasks --kind`."""
    answers: ClassVar[PredictionForm]
    """The form of a prediction."""
    whole: ClassVar[bool] = False
    """Whether numeric predictions are integers, such as class indices."""
    reads: ClassVar[Reads] = "example"
    """The input from which a head predicts."""
    stratified_by: ClassVar[str] = ""
    """The noun for a stratum in messages, such as "decile"; empty for "rarest class"."""
    hub_task: ClassVar[str] = ""
    """The Hugging Face Hub's name of such tasks, for model cards; empty for that of the modality."""
    predicted: ClassVar[str] = ""
    """What is predicted, for model cards, such as "the class of each word"; empty for tlbench's own kinds."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class or label names, in index order; empty for an output without classes."""
        return ()

    def target_error(self, example: Example) -> str | None:
        """Returns an error message if the target of an example is invalid, else None."""
        raise NotImplementedError

    def class_indices(self, target: Any) -> set[int]:
        """Returns the indices of the classes that a target contains; the conformance checks call this method."""
        return set()

    def strata(self, targets: Sequence[Any]) -> Sequence[Hashable]:
        """Returns the stratum of each target for drawing splits; by default its rarest class (Sechidis et al. 2011)."""
        present = [self.class_indices(target) for target in targets]
        counts = Counter(index for indices in present for index in indices)
        return [min(indices, key=lambda index: (counts[index], index), default=-1) for indices in present]

    def undivided_inputs(self, example: Example) -> tuple[Any, ...]:
        """Returns the inputs to compare: examples in which they are equal stay in one split. By default all inputs."""
        return example.inputs

    def arrays(self, targets: Sequence[Any], predictions: Predictions) -> Arrays | None:
        """Returns targets and predictions as arrays for the metrics, (N,) or (N, K) each, in the form of `answers`.

        The default, None, uses the standard conversion of that form, `tlbench.metrics.scored_arrays.usual_arrays`,
        which an override may call.

        Raises:
            PluginError: A prediction does not have the form of the output; the message names the example.
        """
        return None

    def regions(self, width: int, height: int) -> Sequence[Region]:
        """Returns the parts of an image that a head reading a "map" sees, each a row; by default the whole image."""
        return ((0, 0, width, height),)

    def view(self, encoder: Encoder) -> Encoder:
        """Returns the encoder as the head for this output reads it, with the same weights and stages.

        The default is the encoder itself. A head that reads more than the last stage's output, such as the feature
        maps of several stages, gets them from a view, whose output is cached like any other. The view of a view made
        here is that view.
        """
        return encoder

    def picture(self, example: Example, target: Any, prediction: Any) -> bytes | None:
        """Returns a picture of an example, its target and its prediction side by side, as PNG or JPEG, for reports.

        The records of a cell keep a few pictures of test examples. The default, None, draws nothing.

        Args:
            example: The example with its inputs.
            target: Its target in the form that `arrays` returns.
            prediction: Its prediction in the form that `arrays` returns.
        """
        return None

    def differing(self, found: Sequence[Any], own: Sequence[Any]) -> str | None:
        """Returns how an export's predictions differ from the model's own by more than rounding; empty if they don't.

        The default, None, is for kinds whose predictions are equal or not. A prediction is in the form of `answers`.

        Args:
            found: The prediction of each example by an exported model, in full precision but batched otherwise.
            own: Those of the model itself.
        """
        return None

    def head(self, encoder: Encoder) -> Head | None:
        """Returns a new head for this output on top of the encoder.

        The default, None, uses tlbench's head for outputs of this kind (`tlbench.modeling.heads`), if there is one.
        """
        return None

    def head_size(self, card: Card) -> HeadSize:
        """Returns the head's parameters and activations, for the estimate of memory; by default none."""
        return HeadSize()

    def report(self, seeds: Sequence[Scored]) -> ClassReport | None:
        """Returns precision, recall and support of each class, and the confusion matrix, pooled over all seeds.

        The default, None, uses the standard report on `classes` (`tlbench.metrics.class_report`).
        """
        return None


@dataclass(frozen=True)
class Predictions:
    """The predictions for N examples, in the order of the examples.

    Raises:
        ValueError: ids, values and scores differ in length.
    """

    ids: tuple[str, ...]
    values: np.ndarray
    """(N,) class indices or real numbers; (N, K) labels of 0 and 1; or (N,) of dtype object: tuples of class indices,
    one for each word, or the texts of `Span` and `Text`."""
    scores: np.ndarray | None = None
    """(N, K) probabilities of the classes or labels, if the predictor has them."""

    def __post_init__(self) -> None:
        lengths = {len(self.ids), len(self.values)}
        if self.scores is not None:
            lengths.add(len(self.scores))
        if len(lengths) > 1:
            raise ValueError(f"ids, values and scores of predictions differ in length: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.ids)
