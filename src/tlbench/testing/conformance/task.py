"""What every task must keep to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any, ClassVar

import pytest

from tlbench.contracts.images import ImageFile
from tlbench.contracts.metric import METRICS, supports
from tlbench.contracts.outputs import Answer, Classes, MultiLabel, Output, Scalar, Span, Text, TokenClasses
from tlbench.contracts.task import Example, Examples, SplitName, Task
from tlbench.testing.conformance.imports import check_light, check_name

LABELLED: tuple[SplitName, ...] = ("train", "validation", "test")
SPLITS: tuple[SplitName, ...] = (*LABELLED, "unlabeled")


class TaskConformance:
    """Subclass it as `class TestX(TaskConformance)` and name the task."""

    task: ClassVar[Task]
    sizes: ClassVar[Mapping[str, int]] = {}
    """Split to its number of examples; a split that is not named may have any."""

    @pytest.fixture(scope="class")
    @classmethod
    def splits(cls) -> dict[str, Examples]:
        """Every split that the task has, read once for the class."""
        found = {name: cls.task.split(name) for name in SPLITS}
        return {name: examples for name, examples in found.items() if examples is not None}

    def test_name(self) -> None:
        """The name can stand in a suite."""
        check_name(self.task.name)
        assert self.task.modality in ("text", "image")
        assert isinstance(self.task.version, int)

    def test_import_is_light(self) -> None:
        """Listing tasks must not load torch."""
        check_light(self.task)

    def test_sizes(self, splits: dict[str, Examples]) -> None:
        """Train and test are there, and every split has the size that was said."""
        assert splits.get("train"), "there is no training split"
        assert splits.get("test"), "there is no test split"
        said = {name: len(splits[name]) if name in splits else 0 for name in self.sizes}
        assert said == dict(self.sizes)

    def test_ids_are_unique(self, splits: dict[str, Examples]) -> None:
        """An id names one example of the whole task."""
        counts = Counter(example.id for examples in splits.values() for example in examples)
        assert not [identity for identity, count in counts.items() if count > 1][:5]

    def test_inputs(self, splits: dict[str, Examples]) -> None:
        """Every example shows one text, a pair, the words of one or one image, as the output asks; all the same."""
        kinds = {self._kind(example) for examples in splits.values() for example in examples}
        assert len(kinds) == 1, f"the examples differ in what they show: {kinds}"

    def test_targets_fit_the_output(self, splits: dict[str, Examples]) -> None:
        """Every labelled split has targets as the output says, and the unlabelled one has none."""
        for name in LABELLED:
            for example in splits.get(name, ()):
                problem = misfit(self.task.output, example.target) or mismatch(self.task.output, example)
                assert problem is None, f"{name} {example.id}: {problem}"
        assert all(example.target is None for example in splits.get("unlabeled", ()))

    def test_something_to_tell_apart(self, splits: dict[str, Examples]) -> None:
        """Each labelled split has more than one target, and train has every class."""
        for name in LABELLED:
            if name in splits:
                targets = {repr(example.target) for example in splits[name]}
                assert len(targets) > 1, f"every target of {name} is {targets}"
        output = self.task.output
        if isinstance(output, Classes | MultiLabel | TokenClasses):
            unseen = set(range(len(output.names))).difference(*(_shows(output, e.target) for e in splits["train"]))
            assert not unseen, f"train has no example of {[output.names[index] for index in unseen]}"

    def test_no_overlap(self, splits: dict[str, Examples]) -> None:
        """No two labelled splits share what they show, and none shows the same twice."""
        shown = {name: [self._shown(example) for example in splits.get(name, ())] for name in LABELLED}
        for name, keys in shown.items():
            twice = [key for key, count in Counter(keys).items() if count > 1]
            assert not twice, f"{name} shows {len(twice)} inputs twice, such as {twice[0]}"
        for first, second in combinations(LABELLED, 2):
            common = set(shown[first]) & set(shown[second])
            assert not common, f"{first} and {second} share {len(common)} inputs, such as {min(common)}"

    def test_same_again(self, splits: dict[str, Examples]) -> None:
        """A split is the same at each call, in whatever order the splits are asked for."""
        for name in reversed(SPLITS):
            again = self.task.split(name)
            assert (again is None) == (name not in splits)
            if again is not None:
                assert again.fingerprint == splits[name].fingerprint, f"{name} differs from one call to the next"

    def test_metrics_fit_the_output(self) -> None:
        """Every metric is known and scores this output; F1 has its class."""
        assert self.task.metrics, "there is no metric"
        for metric in self.task.metrics:
            assert metric in METRICS, f"there is no metric {metric}"
            assert supports(metric, self.task.output), f"{metric} does not score {self.task.output}"
        if isinstance(self.task.output, Classes):
            assert 0 <= self.task.positive < len(self.task.output.names)

    def test_slices(self, splits: dict[str, Examples]) -> None:
        """Every example of the labelled splits has the columns that the task names, with texts in them."""
        for name in LABELLED:
            for example in splits.get(name, ()):
                assert set(example.slices) == set(self.task.slices), f"{name} {example.id}: {dict(example.slices)}"
                assert all(isinstance(value, str) and value for value in example.slices.values())

    def _kind(self, example: Example) -> str:
        output, inputs = self.task.output, example.inputs
        if self.task.modality == "image":
            assert len(inputs) == 1, f"{example.id} shows {len(inputs)} images"
            assert _is_image(example), f"{example.id} shows no image"
            return "image"
        if isinstance(output, TokenClasses):
            assert len(inputs) == 1, f"{example.id} shows {len(inputs)} inputs, and not one tuple of words"
            assert isinstance(inputs[0], tuple), f"{example.id} shows no tuple of words"
        else:
            allowed = (2,) if isinstance(output, Span) else (1, 2)
            assert len(inputs) in allowed, f"{example.id} shows {len(inputs)} texts"
        for shown in inputs:
            texts = shown if isinstance(output, TokenClasses) else (shown,)
            assert texts, f"{example.id} is empty"
            assert all(isinstance(text, str) and text.strip() for text in texts), f"{example.id}: {shown!r} is no text"
        return ("", "text", "pair")[len(inputs)]

    @staticmethod
    def _shown(example: Example) -> str:
        # The digest of an example that differs in nothing but what it shows.
        return Examples([Example("", example.inputs)]).fingerprint if _is_image(example) else repr(example.inputs)


def misfit(output: Output, target: Any) -> str | None:
    """Returns why the target does not fit the output, or None if it does."""
    if target is None:
        return "no target"
    whole = isinstance(target, int) and not isinstance(target, bool)
    fits: dict[type, Callable[[Any], bool]] = {
        Classes: lambda kind: whole and 0 <= target < len(kind.names),
        MultiLabel: lambda kind: len(target) == len(kind.names) and set(target) <= {0, 1},
        Scalar: lambda kind: isinstance(target, float) and math.isfinite(target),
        TokenClasses: lambda kind: len(target) > 0 and all(0 <= index < len(kind.names) for index in target),
        Span: lambda kind: isinstance(target, tuple) and all(isinstance(answer, Answer) for answer in target),
        Text: lambda kind: len(target) > 0 and all(isinstance(answer, str) for answer in target),
    }
    try:
        return None if fits[type(output)](output) else f"{target!r} is no target of {output}"
    except TypeError:
        return f"{target!r} is no target of {output}"


def mismatch(output: Output, example: Example) -> str | None:
    """Returns why the target does not fit what the example shows, or None if it does."""
    if isinstance(output, TokenClasses) and len(example.inputs[0]) != len(example.target):
        return f"{len(example.inputs[0])} words and {len(example.target)} classes"
    if isinstance(output, Span):
        for text, start in example.target:
            found = example.inputs[1][start : start + len(text)] if start >= 0 else ""
            if not text or found != text:
                return f"the answer {text!r} is said to stand at {start}, where the context has {found!r}"
    return None


def _shows(output: Output, target: Any) -> set[int]:
    """Returns the names that a target has an example of."""
    if isinstance(output, MultiLabel):
        return {index for index, value in enumerate(target) if value}
    return set(target) if isinstance(output, TokenClasses) else {target}


def _is_image(example: Example) -> bool:
    return isinstance(example.inputs[0], ImageFile) or hasattr(example.inputs[0], "tobytes")
