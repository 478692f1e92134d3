"""What a kind of output must keep: its targets, answers, storage and head fit together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, get_args

import numpy as np
import pytest

from tlbench.contracts.errors import PluginError
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import AnswerKind, Output, Predictions
from tlbench.contracts.task import Example, Examples
from tlbench.metrics.class_report import report_of
from tlbench.metrics.scored import Scored, objects
from tlbench.metrics.scored_arrays import scored_of
from tlbench.modeling.heads import default_head
from tlbench.testing.conformance.imports import check_light, check_name


class OutputConformance:
    """Subclass it with `output`, some labelled `examples` of it, not all alike, and the `metrics` that score it."""

    output: ClassVar[Output]
    examples: ClassVar[Sequence[Example]]
    metrics: ClassVar[Sequence[Metric]] = ()

    def right(self, example: Example) -> Any:
        """Returns the right answer to an example: its target, or the first of the texts that are accepted."""
        if self.output.answers != "texts":
            return example.target
        first = example.target[0] if example.target else ""
        # A span's target has the text and where it stands.
        return getattr(first, "text", first)

    def wrong(self, example: Example) -> Any:
        """Returns an answer of the right form that is not right: another class, label, number or text."""
        right, count = self.right(example), len(self.output.classes)
        if self.output.answers == "texts":
            return f"no answer but {right}"
        if self.output.answers == "labels":
            return [1 - label for label in right]
        if self.output.answers == "tags":
            return tuple((tag + 1) % count for tag in right)
        return (right + 1) % count if count else right + 1

    def test_import_is_light(self) -> None:
        """The module that defines the output loads no heavy library."""
        check_light(self.output)

    def test_says_what_it_is(self) -> None:
        """Its kind is a name, and its answers are of one of the four shapes."""
        check_name(self.output.kind)
        assert self.output.answers in get_args(AnswerKind)

    def test_targets_fit(self) -> None:
        """Every example's target fits, and a missing one does not."""
        assert self.examples, "there are no examples"
        for example in self.examples:
            assert self.output.misfit(example) is None, f"{example.id}: {self.output.misfit(example)}"
            missing = Example(example.id, example.inputs)
            assert self.output.misfit(missing), "a missing target fits"
            assert self.output.occurring(example.target) <= set(range(len(self.output.classes)))

    def test_right_answers_score_best(self) -> None:
        """Right answers have the best value of every metric."""
        for metric in self.metrics:
            from tlbench.metrics.resampling import score

            assert metric.supports(self.output), f"{metric.name} does not score it"
            best = metric.highest if metric.greater_is_better else metric.lowest
            assert best is None or score(metric, self._scored()) == pytest.approx(best)

    def test_wrong_answers_score_worse(self) -> None:
        """Answers of which one in two is wrong have a worse value of every metric than right ones."""
        from tlbench.metrics.resampling import score

        half = self._scored([self.wrong(e) if i % 2 else self.right(e) for i, e in enumerate(self.examples)])
        for metric in self.metrics:
            sign = 1 if metric.greater_is_better else -1
            right, mixed = score(metric, self._scored()), score(metric, half)
            assert sign * mixed < sign * right, (
                f"{metric.name} is {mixed} where half is wrong, {right} where all is right"
            )

    def test_arrays_are_of_the_targets_and_of_the_answers(self) -> None:
        """Targets stay the same whatever is answered; right answers are equal to them, and wrong ones are not."""
        right, wrong = self._scored(), self._scored([self.wrong(example) for example in self.examples])
        assert _listed(right.targets) == _listed(wrong.targets), "the targets are others where the answers are wrong"
        for i, example in enumerate(self.examples):
            target, answers = _listed(right.targets)[i], (_listed(right.values)[i], _listed(wrong.values)[i])
            fits = [one in target if self.output.answers == "texts" else one == target for one in answers]
            if self.output.answers == "texts" and not target:
                # Nothing is right but to say nothing.
                fits[0] = not answers[0]
            assert fits[0], f"{example.id}: the right answer is {answers[0]!r}, where the target is {target!r}"
            assert not fits[1], f"{example.id}: a wrong answer is {answers[1]!r}, as the target is"
            self._check_target(example, target)

    def test_arrays_of_some_examples(self) -> None:
        """Each example's target and answer are the same whichever others stand beside it."""
        whole = self._scored()
        for i, example in enumerate(self.examples):
            alone = self._scored(examples=[example])
            for part, of_all in ((alone.targets, whole.targets), (alone.values, whole.values)):
                one, same = _listed(part)[0], _listed(of_all)[i]
                assert one == same, f"{example.id} alone is {one!r}, and among others {same!r}"

    def test_too_few_answers_are_refused(self) -> None:
        """Answers to other examples are the predictor's mistake."""
        some = self._predictions()
        with pytest.raises(PluginError):
            scored_of(self.output, [e.target for e in self.examples][1:], some)

    def test_answers_are_stored_as_they_are(self) -> None:
        """What is written to a file of predictions is read back equal."""
        import pyarrow as pa

        from tlbench.results.records.stored_predictions import columns_of, scored_in

        scored = self._scored()
        read = scored_in(pa.table(columns_of(0, [example.id for example in self.examples], scored)))
        assert read.kind == scored.kind
        assert read.targets.tolist() == scored.targets.tolist()
        assert read.values.tolist() == scored.values.tolist()

    def test_the_report_is_of_its_classes(self) -> None:
        """What is reported of classes has their names, and finds everything where all answers are right."""
        report = report_of(self.output, [self._scored()])
        assert set(report.names) <= set(self.output.classes)
        assert all(row.f1 in {0.0, 1.0} for row in report.classes)
        wrong = report_of(self.output, [self._scored([self.wrong(example) for example in self.examples])])
        assert not report.classes or wrong != report, "the report is the same where all answers are wrong"

    def test_the_head_learns_and_answers(self) -> None:
        """The default head on the toy backbone has a finite loss with a gradient, and answers that can be scored."""
        from tlbench.testing.conformance.words_and_spans import answered
        from tlbench.testing.toys import ToyBackbone

        backbone = ToyBackbone()
        encoder = backbone.load()
        try:
            head = default_head(self.output, encoder)
        except PluginError as error:
            pytest.skip(f"it has no head of its own: {error}")
        examples = Examples(self.examples)
        predictions = answered(encoder, head, backbone.featurize(examples, self.output))
        scored_of(self.output, [example.target for example in examples], predictions)

    def _check_target(self, example: Example, target: Any) -> None:
        """Asserts that a target, as metrics read it, is of the classes that the example is one of."""
        if self.output.answers == "numbers" and self.output.whole:
            assert target == int(target), f"{example.id}: the target {target!r} is not whole"
        occurring = self.output.occurring(example.target)
        if not occurring or self.output.answers == "texts":
            return
        if self.output.answers == "tags":
            found = {self.output.classes.index(tag) for tag in target if tag in self.output.classes}
        elif self.output.answers == "labels":
            found = {index for index, label in enumerate(target) if label}
        else:
            found = {int(target)}
        assert found == occurring, f"{example.id}: the target {target!r} is of {found}, and the example of {occurring}"

    def _predictions(self, values: Sequence[Any] | None = None, examples: Sequence[Example] = ()) -> Predictions:
        examples = examples or self.examples
        given: Any = [self.right(example) for example in examples] if values is None else values
        given = objects(given) if self.output.answers in {"tags", "texts"} else np.asarray(given)
        return Predictions(tuple(example.id for example in examples), given)

    def _scored(self, values: Sequence[Any] | None = None, examples: Sequence[Example] = ()) -> Scored:
        """Returns these answers, or the right ones, beside the targets of these examples, or of all."""
        targets = [example.target for example in examples or self.examples]
        return scored_of(self.output, targets, self._predictions(values, examples))


def _listed(part: Any) -> list[Any]:
    return list(part.tolist())
