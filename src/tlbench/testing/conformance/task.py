"""What every task must keep to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import ClassVar

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.outputs import Classes, Output
from tlbench.contracts.task import Example, Examples, ImageFile, SplitName, Task
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
                problem = misfit(self.task.output, example)
                assert problem is None, f"{name} {example.id}: {problem}"
        assert all(example.target is None for example in splits.get("unlabeled", ()))

    def test_something_to_tell_apart(self, splits: dict[str, Examples]) -> None:
        """Each labelled split has more than one target, and train has every class."""
        for name in LABELLED:
            if name in splits:
                targets = {repr(example.target) for example in splits[name]}
                assert len(targets) > 1, f"every target of {name} is {targets}"
        output = self.task.output
        unseen = set(range(len(output.classes))).difference(*(output.occurring(e.target) for e in splits["train"]))
        assert not unseen, f"train has no example of {[output.classes[index] for index in unseen]}"

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
        catalog = Catalog.discover()
        for name in self.task.metrics:
            assert name in catalog.metrics, f"there is no metric {name}"
            assert catalog.metric(name).supports(self.task.output), f"{name} does not score {self.task.output}"
        if isinstance(self.task.output, Classes):
            assert 0 <= self.task.positive < len(self.task.output.classes)

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
        if output.reads == "words":
            assert len(inputs) == 1, f"{example.id} shows {len(inputs)} inputs, and not one tuple of words"
            assert isinstance(inputs[0], tuple), f"{example.id} shows no tuple of words"
        else:
            allowed = (2,) if output.reads == "context" else (1, 2)
            assert len(inputs) in allowed, f"{example.id} shows {len(inputs)} texts"
        for shown in inputs:
            texts = shown if output.reads == "words" else (shown,)
            assert texts, f"{example.id} is empty"
            assert all(isinstance(text, str) and text.strip() for text in texts), f"{example.id}: {shown!r} is no text"
        return ("", "text", "pair")[len(inputs)]

    @staticmethod
    def _shown(example: Example) -> str:
        # The digest of an example that differs in nothing but what it shows.
        return Examples([Example("", example.inputs)]).fingerprint if _is_image(example) else repr(example.inputs)


def misfit(output: Output, example: Example) -> str | None:
    """Returns why the example's target does not fit the output, or None if it does."""
    try:
        return output.misfit(example)
    except TypeError:
        return f"{example.target!r} is no target of {output}"


def _is_image(example: Example) -> bool:
    return isinstance(example.inputs[0], ImageFile) or hasattr(example.inputs[0], "tobytes")
