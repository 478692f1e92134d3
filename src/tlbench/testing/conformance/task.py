"""Conformance checks for tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import ClassVar

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.images.image_file import ImageFile
from tlbench.contracts.outputs import Classes, Output
from tlbench.contracts.task import Example, Examples, SplitName, Task
from tlbench.testing.conformance.every_plugin import check_light, check_name

LABELLED: tuple[SplitName, ...] = ("train", "validation", "test")
SPLITS: tuple[SplitName, ...] = (*LABELLED, "unlabeled")


class TaskConformance:
    """Checks a task's splits, targets, metrics and slices.

    Guarantees: splits are deterministic and do not overlap; ids are unique; inputs have one form; targets fit the
    output; every class occurs in train; the metrics support the output; every example has the task's slice columns.

        class TestMyTask(TaskConformance):
            task = MyTask()
            sizes = {"train": 2000, "test": 500}
    """

    task: ClassVar[Task]
    sizes: ClassVar[Mapping[str, int]] = {}
    """Expected number of examples by split, 0 for a missing split; splits that are left out may have any size."""

    @pytest.fixture(scope="class")
    @classmethod
    def splits(cls) -> dict[str, Examples]:
        """The splits that the task has, read once for the tests of the class."""
        read = {name: cls.task.split(name) for name in SPLITS}
        return {name: examples for name, examples in read.items() if examples is not None}

    def test_name(self) -> None:
        """The name is valid in suites and on the command line, and modality and version have allowed values."""
        check_name(self.task.name)
        assert self.task.modality in ("text", "image")
        assert isinstance(self.task.version, int)

    def test_import_is_light(self) -> None:
        """Importing the task's module does not import heavy libraries such as torch."""
        check_light(self.task)

    def test_sizes(self, splits: dict[str, Examples]) -> None:
        """There are a training and a test split, and every split has the size that `sizes` gives."""
        assert splits.get("train"), "there is no training split"
        assert splits.get("test"), "there is no test split"
        actual = {name: len(splits[name]) if name in splits else 0 for name in self.sizes}
        assert actual == dict(self.sizes)

    def test_an_unlabeled_split_is_declared(self, splits: dict[str, Examples]) -> None:
        """`unlabeled_like` says whether there is an unlabelled split, which a plan asks without reading the data."""
        declared = self.task.unlabeled_like
        assert (declared != "none") == ("unlabeled" in splits), f"unlabeled_like is {declared!r}: see `Task`"

    def test_ids_are_unique(self, splits: dict[str, Examples]) -> None:
        """No two examples of the task have the same id."""
        counts = Counter(example.id for examples in splits.values() for example in examples)
        assert not [identity for identity, count in counts.items() if count > 1][:5]

    def test_inputs(self, splits: dict[str, Examples]) -> None:
        """All examples have inputs of the same form: a text, a text pair, a tuple of words or an image."""
        forms = {self._input_form(example) for examples in splits.values() for example in examples}
        assert len(forms) == 1, f"the examples have inputs of several forms: {forms}"
        # A question with its context also has the form "pair", but does not count as a pair of texts to compare.
        are_pairs = forms == {"pair"} and self.task.output.reads == "example"
        assert self.task.pairs == are_pairs, f"set pairs = {are_pairs}: the examples have the form {forms}"

    def test_targets_fit_the_output(self, splits: dict[str, Examples]) -> None:
        """Targets of labelled splits fit the output, and unlabelled examples have none."""
        for name in LABELLED:
            for example in splits.get(name, ()):
                problem = target_error(self.task.output, example)
                assert problem is None, f"{name} {example.id}: {problem}"
        assert all(example.target is None for example in splits.get("unlabeled", ()))

    def test_targets_vary(self, splits: dict[str, Examples]) -> None:
        """Every labelled split has at least two distinct targets, and every class occurs in train."""
        for name in LABELLED:
            if name in splits:
                targets = {repr(example.target) for example in splits[name]}
                assert len(targets) > 1, f"every target of {name} is {targets}"
        output = self.task.output
        # A class that never occurs in train cannot be learnt, and is usually a label in the wrong encoding.
        unseen = set(range(len(output.classes))).difference(*(output.class_indices(e.target) for e in splits["train"]))
        assert not unseen, f"train has no example of {[output.classes[index] for index in unseen]}"

    def test_no_overlap(self, splits: dict[str, Examples]) -> None:
        """No input occurs twice, neither in one labelled split nor in two."""
        inputs = {name: [self._input_key(example) for example in splits.get(name, ())] for name in LABELLED}
        for name, keys in inputs.items():
            twice = [key for key, count in Counter(keys).items() if count > 1]
            assert not twice, f"{name} has {len(twice)} inputs twice, such as {twice[0]}"
        for first, second in combinations(LABELLED, 2):
            common = set(inputs[first]) & set(inputs[second])
            assert not common, f"{first} and {second} share {len(common)} inputs, such as {min(common)}"

    def test_no_group_in_two_splits(self, splits: dict[str, Examples]) -> None:
        """No group of examples, such as a patient, is in two labelled splits."""
        groups = {name: {example.group for example in splits.get(name, ()) if example.group} for name in LABELLED}
        for first, second in combinations(LABELLED, 2):
            common = groups[first] & groups[second]
            assert not common, f"{first} and {second} share {len(common)} groups, such as {min(common)}"

    def test_splits_are_deterministic(self, splits: dict[str, Examples]) -> None:
        """A split is the same at every call, in any order of calls."""
        # Reversed, so that a generator shared by the splits is noticed.
        for name in reversed(SPLITS):
            again = self.task.split(name)
            assert (again is None) == (name not in splits)
            if again is not None:
                assert again.fingerprint == splits[name].fingerprint, f"{name} differs from one call to the next"

    def test_metrics_fit_the_output(self) -> None:
        """Every metric exists and supports the output, and `positive` is the index of a class."""
        assert self.task.metrics, "there is no metric"
        catalog = Catalog.discover()
        for name in self.task.metrics:
            assert name in catalog.metrics, f"unknown metric {name}: list names of installed metrics in `metrics`"
            assert catalog.metric(name).supports(self.task.output), f"{name} does not score {self.task.output}"
        if isinstance(self.task.output, Classes):
            assert 0 <= self.task.positive < len(self.task.output.classes)

    def test_slices(self, splits: dict[str, Examples]) -> None:
        """Every labelled example has exactly the slice columns that the task declares, with non-empty texts."""
        for name in LABELLED:
            for example in splits.get(name, ()):
                assert set(example.slices) == set(self.task.slices), f"{name} {example.id}: {dict(example.slices)}"
                assert all(isinstance(value, str) and value for value in example.slices.values())

    def _input_form(self, example: Example) -> str:
        output, inputs = self.task.output, example.inputs
        if self.task.modality == "image":
            assert len(inputs) == 1, f"{example.id} has {len(inputs)} inputs, expected one image"
            assert _is_image(example), f"{example.id} has an input that is not an image"
            return "image"
        if output.reads == "words":
            fits = len(inputs) == 1 and isinstance(inputs[0], tuple)
            assert fits, (
                f"{example.id} has the inputs {inputs!r:.80}, expected one tuple of words, as inputs=(('a', 'word'),)"
            )
        else:
            allowed = (2,) if output.reads == "context" else (1, 2)
            assert len(inputs) in allowed, f"{example.id} has {len(inputs)} texts, expected {allowed}"
        for part in inputs:
            texts = part if output.reads == "words" else (part,)
            assert texts, f"{example.id} has an empty tuple of words"
            assert all(isinstance(text, str) and text.strip() for text in texts), (
                f"{example.id}: {part!r} holds no text"
            )
        return ("", "text", "pair")[len(inputs)]

    @staticmethod
    def _input_key(example: Example) -> str:
        # Images are not hashable; the fingerprint of an example without id and target depends on its pixels alone.
        return Examples([Example("", example.inputs)]).fingerprint if _is_image(example) else repr(example.inputs)


def target_error(output: Output, example: Example) -> str | None:
    """Returns why the example's target does not fit the output, or None if it does."""
    # An output may assume the type of its targets, as in `len(target)`; a TypeError there is a misfit, not a crash.
    try:
        return output.target_error(example)
    except TypeError:
        return f"{example.target!r} is not a target of {output}"


def _is_image(example: Example) -> bool:
    return isinstance(example.inputs[0], ImageFile) or hasattr(example.inputs[0], "tobytes")
