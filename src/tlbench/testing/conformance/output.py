"""Conformance checks for output types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, get_args

import numpy as np
import pytest

from tlbench.contracts.errors import PluginError
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Output, PredictionForm, Predictions
from tlbench.contracts.task import Example, Examples
from tlbench.metrics.class_report import report_of
from tlbench.metrics.scored import Scored, objects
from tlbench.metrics.scored_arrays import scored_of
from tlbench.testing.conformance.every_plugin import check_light, check_name


class OutputConformance:
    """Checks that targets, predictions, storage, class report and head of an output fit together.

    Guarantees: valid targets are accepted and missing ones refused; right predictions have the best score; the arrays
    of an example do not depend on other examples; predictions survive storage; the default head trains and predicts.

        class TestMyOutput(OutputConformance):
            output = MyOutput()
            examples = (Example("a", ("a text",), 0), Example("b", ("another",), 1))
            metrics = (MyMetric(),)
    """

    output: ClassVar[Output]
    examples: ClassVar[Sequence[Example]]
    """Labelled examples with at least two distinct targets."""
    metrics: ClassVar[Sequence[Metric]] = ()
    """Metrics that support the output."""

    def right(self, example: Example) -> Any:
        """Returns the right prediction for an example: its target, or the first of its accepted texts."""
        if self.output.answers != "texts":
            return example.target
        first = example.target[0] if example.target else ""
        # Targets of spans are `Answer`s with a text and an offset, but predictions are texts.
        return getattr(first, "text", first)

    def wrong(self, example: Example) -> Any:
        """Returns a wrong prediction of the right form: another class, label, number or text."""
        right, count = self.right(example), len(self.output.classes)
        if self.output.answers == "texts":
            return f"no answer but {right}"
        if self.output.answers == "labels":
            return [1 - label for label in right]
        if self.output.answers == "tags":
            return tuple((tag + 1) % count for tag in right)
        return (right + 1) % count if count else right + 1

    def test_import_is_light(self) -> None:
        """Importing the output's module does not import heavy libraries such as torch."""
        check_light(self.output)

    def test_declared_attributes(self) -> None:
        """`kind` is a valid name, and `answers` is one of the four forms of predictions."""
        check_name(self.output.kind)
        assert self.output.answers in get_args(PredictionForm)

    def test_targets_fit(self) -> None:
        """The output accepts the target of every example and refuses a missing one."""
        assert self.examples, "set `examples` to some labelled examples"
        for example in self.examples:
            assert self.output.target_error(example) is None, f"{example.id}: {self.output.target_error(example)}"
            missing = Example(example.id, example.inputs)
            assert self.output.target_error(missing), "`target_error` accepts a missing target"
            indices, count = self.output.class_indices(example.target), len(self.output.classes)
            assert indices <= set(range(count)), (
                f"{example.id}: `class_indices` returns {sorted(indices)}, but `classes` has {count} names: leave "
                "`class_indices` out of a kind without classes"
            )

    def test_strata_and_equal_inputs(self) -> None:
        """Every target has a stratum, equal targets the same one, and `undivided_inputs` of no example is empty."""
        targets = [example.target for example in self.examples]
        strata = self.output.strata([*targets, *targets])
        assert len(strata) == 2 * len(targets), f"{len(strata)} strata for {2 * len(targets)} targets"
        assert list(strata[: len(targets)]) == list(strata[len(targets) :]), "equal targets are in different strata"
        # Strata must be hashable, since a draw uses them as keys of a dictionary.
        assert dict.fromkeys(strata)
        for example in self.examples:
            assert self.output.undivided_inputs(example), f"{example.id}: no input says which examples are equal"

    def test_right_answers_score_best(self) -> None:
        """Right predictions have the best value of every metric."""
        for metric in self.metrics:
            from tlbench.metrics.resampling import score

            assert metric.supports(self.output), f"{metric.name} does not support this output"
            best = metric.highest if metric.greater_is_better else metric.lowest
            assert best is None or score(metric, self._scored()) == pytest.approx(best)

    def test_wrong_answers_score_worse(self) -> None:
        """Predictions of which every second one is wrong score worse than right ones, in every metric."""
        from tlbench.metrics.resampling import score

        half = self._scored([self.wrong(e) if i % 2 else self.right(e) for i, e in enumerate(self.examples)])
        for metric in self.metrics:
            sign = 1 if metric.greater_is_better else -1
            right, mixed = score(metric, self._scored()), score(metric, half)
            assert sign * mixed < sign * right, (
                f"{metric.name} is {mixed} where half is wrong, {right} where all is right"
            )

    def test_arrays_separate_targets_and_predictions(self) -> None:
        """The array of targets is independent of predictions, equals right predictions and differs from wrong ones."""
        right, wrong = self._scored(), self._scored([self.wrong(example) for example in self.examples])
        assert _listed(right.targets) == _listed(wrong.targets), "the targets change with the predictions"
        for i, example in enumerate(self.examples):
            target, values = _listed(right.targets)[i], (_listed(right.values)[i], _listed(wrong.values)[i])
            equal = [one in target if self.output.answers == "texts" else one == target for one in values]
            if self.output.answers == "texts" and not target:
                # An unanswerable question has no accepted texts; its right prediction is the empty text.
                equal[0] = not values[0]
            assert equal[0], f"{example.id}: the right prediction is {values[0]!r}, but the target is {target!r}"
            assert not equal[1], f"{example.id}: a wrong prediction is {values[1]!r}, which equals the target"
            self._check_target(example, target)

    def test_arrays_depend_on_their_own_example(self) -> None:
        """The target and prediction of an example are the same alone and among other examples."""
        whole = self._scored()
        for i, example in enumerate(self.examples):
            alone = self._scored(examples=[example])
            for part, of_all in ((alone.targets, whole.targets), (alone.values, whole.values)):
                one, among_others = _listed(part)[0], _listed(of_all)[i]
                assert one == among_others, f"{example.id} is {one!r} alone and {among_others!r} among others"

    def test_predictions_must_match_the_targets(self) -> None:
        """More predictions than targets raise a PluginError, since the predictor is at fault."""
        predictions = self._predictions()
        with pytest.raises(PluginError):
            scored_of(self.output, [e.target for e in self.examples][1:], predictions)

    def test_predictions_survive_storage(self) -> None:
        """Targets and predictions are equal after writing and reading them as Parquet columns."""
        import pyarrow as pa

        from tlbench.results.records.stored_predictions import columns_of, scored_in

        scored = self._scored()
        restored = scored_in(pa.table(columns_of(0, [example.id for example in self.examples], scored)))
        assert restored.kind == scored.kind
        assert restored.targets.tolist() == scored.targets.tolist()
        assert restored.values.tolist() == scored.values.tolist()

    def test_class_report(self) -> None:
        """The class report names the output's classes, is perfect for right predictions and not for wrong ones."""
        report = report_of(self.output, [self._scored()])
        assert set(report.names) <= set(self.output.classes)
        # 0 for classes without examples, for which F1 is undefined.
        assert all(row.f1 in {0.0, 1.0} for row in report.classes)
        wrong = report_of(self.output, [self._scored([self.wrong(example) for example in self.examples])])
        assert not report.classes or wrong != report, "the report is the same for wrong predictions"

    def test_default_head(self) -> None:
        """The default head on the toy backbone has a finite loss with a gradient and predictions that can be scored."""
        from tlbench.modeling.heads import default_head
        from tlbench.testing.conformance.words_and_spans import step_and_predict
        from tlbench.testing.toys import ToyBackbone

        backbone = ToyBackbone()
        encoder = backbone.load()
        try:
            head = default_head(self.output, encoder)
        except PluginError as error:
            pytest.skip(f"this output has no default head: {error}")
        examples = Examples(self.examples)
        predictions = step_and_predict(encoder, head, backbone.featurize(examples, self.output))
        scored_of(self.output, [example.target for example in examples], predictions)

    def _check_target(self, example: Example, target: Any) -> None:
        """Asserts that a target, in the form that metrics read, has the classes that `class_indices` returns."""
        if self.output.answers == "numbers" and self.output.whole:
            assert target == int(target), f"{example.id}: the target {target!r} is not whole, but `whole` is set"
        class_indices = self.output.class_indices(example.target)
        if not class_indices or self.output.answers == "texts":
            return
        if self.output.answers == "tags":
            classes = {self.output.classes.index(tag) for tag in target if tag in self.output.classes}
        elif self.output.answers == "labels":
            classes = {index for index, label in enumerate(target) if label}
        else:
            classes = {int(target)}
        assert classes == class_indices, (
            f"{example.id}: target {target!r} has {classes}, `class_indices` gives {class_indices}"
        )

    def _predictions(self, values: Sequence[Any] | None = None, examples: Sequence[Example] = ()) -> Predictions:
        examples = examples or self.examples
        predicted: Any = [self.right(example) for example in examples] if values is None else values
        # Sequences of equal length would become a 2-D array in `np.asarray`.
        predicted = objects(predicted) if self.output.answers in {"tags", "texts"} else np.asarray(predicted)
        return Predictions(tuple(example.id for example in examples), predicted)

    def _scored(self, values: Sequence[Any] | None = None, examples: Sequence[Example] = ()) -> Scored:
        """Returns predictions (by default the right ones) with the targets of examples (by default all)."""
        targets = [example.target for example in examples or self.examples]
        return scored_of(self.output, targets, self._predictions(values, examples))


def _listed(part: Any) -> list[Any]:
    return list(part.tolist())
