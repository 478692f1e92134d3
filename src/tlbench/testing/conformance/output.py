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
    """Subclass it with `output`, some labelled `examples` of it, and the `metrics` that score it."""

    output: ClassVar[Output]
    examples: ClassVar[Sequence[Example]]
    metrics: ClassVar[Sequence[Metric]] = ()

    def right(self, example: Example) -> Any:
        """Returns the right answer to an example: its target, or the first of the texts that are accepted."""
        if self.output.answers != "texts":
            return example.target
        return example.target[0] if example.target else ""

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

    def _predictions(self) -> Predictions:
        values: Any = [self.right(example) for example in self.examples]
        values = objects(values) if self.output.answers in {"tags", "texts"} else np.asarray(values)
        return Predictions(tuple(example.id for example in self.examples), values)

    def _scored(self) -> Scored:
        return scored_of(self.output, [example.target for example in self.examples], self._predictions())
