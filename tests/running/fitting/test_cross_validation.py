"""Trials on folds, and winners that are fitted on train and validation together."""

from __future__ import annotations

import dataclasses
from itertools import chain
from typing import Any

import numpy as np
import pytest

from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import DataError, Diverged, PluginError
from tlbench.contracts.fits.job import Job
from tlbench.contracts.identity.amount import ALL
from tlbench.contracts.outputs import Predictions
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Example, Examples
from tlbench.running.splits import Splits
from tlbench.testing.jobs import Rehearsal
from tlbench.testing.toy_kinds import ToyLabelsTask, ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyMajority, ToyScalarTask, ToyTask

FOLDS = Protocol(folds=4, final="train+validation", precision="fp32")
PARAMS = {"lr": 0.01, "steps": 4}


@dataclasses.dataclass(frozen=True)
class Recalling(Strategy):
    """Keeps its jobs, and predicts the target where the position in the fold is even, else class 0."""

    name = "recalling"
    uses_backbone = False
    jobs: list[Job] = dataclasses.field(default_factory=list)

    def fit(self, job: Job) -> Any:
        self.jobs.append(job)
        job.notes["number"] = len(self.jobs)
        job.notes["computed"] = job.once("number", lambda: len(self.jobs))
        if job.params.get("diverges") == len(self.jobs):
            raise Diverged("on purpose")
        return self

    def predict(self, data: Any) -> Predictions:
        targets = [example.target for example in data.examples]
        return Predictions(data.ids, np.array([t if i % 2 == 0 else 0 for i, t in enumerate(targets)]))


def _ids(data: Any) -> list[str]:
    return [example.id for example in data.examples]


def test_every_example_is_predicted_once_by_a_fit_that_did_not_see_it() -> None:
    strategy = Recalling()
    rehearsal = Rehearsal(strategy, None, ToyTask(train=30, validation=10), FOLDS)
    (first, second) = rehearsal.fit_batch([{}, {}])
    splits = Splits(ToyTask(train=30, validation=10))
    everything = [example.id for example in (*splits.train, *splits.validation)]
    assert len(strategy.jobs) == 8
    for trial in (strategy.jobs[:4], strategy.jobs[4:]):
        held_out = [_ids(job.validation) for job in trial]
        assert sorted(chain(*held_out)) == sorted(everything)
        for job, fold in zip(trial, held_out, strict=True):
            assert sorted(_ids(job.train) + fold) == sorted(everything)
            assert [one.id for one in job.examples("train") or ()] == _ids(job.train)
            assert [one.id for one in job.examples("validation") or ()] == fold
            # Stratified: 20 of 40 examples are positive.
            assert sum(one.target for one in job.validation.examples) == 5
            assert job.protocol == Protocol(precision="fp32").of_fit(0)
    assert [_ids(job.train) for job in strategy.jobs[:4]] == [_ids(job.train) for job in strategy.jobs[4:]]
    # The accuracy of all predictions together: class 0, and the positive examples at even positions of their fold.
    right = sum(
        one.target == 0 or i % 2 == 0 for job in strategy.jobs[:4] for i, one in enumerate(job.validation.examples)
    )
    assert first.result.validation == second.result.validation == right / 40
    assert first.result.notes["number"] == 2.5
    # A value of `once` belongs to the training examples of its fold, and is shared by trials.
    assert first.result.notes["computed"] == second.result.notes["computed"] == 2.5
    assert first.predictor is None


def test_the_score_is_of_the_predictions_together_and_not_a_mean_over_folds() -> None:
    """F1 of folds that are each a class of their own is 0 or 1; only their predictions together have a sensible one."""

    class RareTask(ToyTask):
        name, metrics = "rare", ("f1",)

        def split(self, name: Any) -> Examples | None:
            rows = super().split(name)
            return rows and Examples(dataclasses.replace(row, target=int(i == 0)) for i, row in enumerate(rows))

    strategy = Recalling()
    protocol = Protocol(folds=8, final="train+validation")
    result = Rehearsal(strategy, None, RareTask(train=30, validation=10), protocol).fit({}).result
    answers = [strategy.predict(job.validation).values for job in strategy.jobs]
    targets = [[one.target for one in job.validation.examples] for job in strategy.jobs]
    hits = sum(int(a @ np.array(t)) for a, t in zip(answers, targets, strict=True))
    assert sum(map(sum, targets)) == 2
    expected = 2 * hits / (2 + sum(int(a.sum()) for a in answers))
    assert result.validation == pytest.approx(expected)


@pytest.mark.parametrize("task", [ToyTask(), ToyScalarTask(), ToyLabelsTask(), ToyWordsTask()], ids=lambda t: t.name)
def test_predictions_of_every_kind_of_output_are_scored_together(task: Any) -> None:
    rehearsal = Rehearsal(ToyFit(), ToyBackbone(), task, FOLDS)
    result = rehearsal.fit(PARAMS).result
    assert (result.status, result.reason) == ("ok", "")
    assert result.validation is not None
    assert result.history == ()
    assert result.examples_seen == 4 * 3 * (64 + len(Splits(task).validation))


def test_a_trial_ends_with_the_first_fold_that_fails_and_costs_no_other_trial() -> None:
    strategy = Recalling()
    failed, done = Rehearsal(strategy, None, ToyTask(), FOLDS).fit_batch([{"diverges": 3}, {}])
    assert failed.result.status == "diverged"
    assert failed.result.reason == "fold 3 of 4: on purpose"
    assert failed.result.validation is None
    assert done.result.status == "ok"
    assert len(strategy.jobs) == 3 + 4


def test_trials_of_one_pass_are_fitted_together_on_each_fold() -> None:
    class Together(Recalling):
        batch_size = 4

    strategy = Together()
    fitted = Rehearsal(strategy, None, ToyTask(), FOLDS).fit_batch([{}, {"diverges": 3}, {}])
    assert [one.result.status for one in fitted] == ["ok", "ok", "ok"]
    held_out = [_ids(job.validation) for job in strategy.jobs]
    assert len(held_out) == 12
    assert all(held_out[3 * fold] == held_out[3 * fold + 1] == held_out[3 * fold + 2] for fold in range(4))
    assert fitted[0].result.validation == Rehearsal(Recalling(), None, ToyTask(), FOLDS).fit({}).result.validation

    strategy = Together()
    fitted = Rehearsal(strategy, None, ToyTask(), FOLDS).fit_batch([{}, {"diverges": 2}, {}])
    assert [one.result.status for one in fitted] == ["ok", "diverged", "ok"]
    assert len(strategy.jobs) == 3 + 2 * 3, "a trial that failed on the first fold is not fitted on the others"


def test_a_limit_is_of_train_and_validation_and_follows_the_seed() -> None:
    strategy = Recalling()
    protocol = Protocol(folds=4, final="train+validation", train_limit=12, seeds=(0, 1))
    rehearsal = Rehearsal(strategy, None, ToyTask(train=30, validation=10), protocol)
    rehearsal.fit({}, seed=1)
    rehearsal.fit_final({}, seed=1)
    folds, final = strategy.jobs[4:8], strategy.jobs[-1]
    assert [len(job.train) for job in folds] == [9] * 4
    assert sorted(_ids(final.train)) == sorted(chain(*(_ids(job.validation) for job in folds)))
    rest = final.unlabeled()
    assert rest is not None
    assert len(rest) == 28
    assert not {*_ids(rest)} & {*_ids(final.train)}


@pytest.mark.parametrize("protocol", [FOLDS, Protocol(final="train+validation")], ids=["folds", "validation split"])
def test_a_final_fit_trains_on_both_splits_and_knows_what_the_search_noted(protocol: Protocol) -> None:
    strategy = Recalling()
    fitted = Rehearsal(strategy, None, ToyTask(train=30, validation=10), protocol).fit_final({})
    job = strategy.jobs[-1]
    assert (fitted.result.status, fitted.result.purpose, fitted.result.validation) == ("ok", "final", None)
    assert len(job.train) == 40
    assert job.held_out is None
    assert job.examples("validation") is None
    assert job.searched["number"] == (2.5 if protocol.folds else 1)
    # What was computed from the training split alone is not used again.
    assert fitted.result.notes["computed"] == len(strategy.jobs)
    for read in (lambda: job.validation, lambda: job.score(strategy)):
        with pytest.raises(PluginError, match=r"no validation split: .* job\.searched"):
            read()


def test_a_final_fit_reports_nothing_where_a_pruner_would_read_scores() -> None:
    protocol = Protocol(final="train+validation", pruner="median", trials=2)
    strategy = Recalling()
    Rehearsal(strategy, None, ToyTask(), protocol).fit_final({})
    assert [job.protocol.pruner for job in strategy.jobs] == ["median", "none"]


def test_examples_with_equal_inputs_and_groups_are_in_one_fold() -> None:
    class Repeated(ToyTask):
        name = "repeated"

        def split(self, name: Any) -> Examples | None:
            rows = super().split(name)
            return rows and Examples(
                Example(f"{name}{copy}-{row.id}", row.inputs, row.target, group=f"{i % 4}" if row.target else "")
                for i, row in enumerate(rows)
                for copy in range(2)
            )

    splits = Splits(Repeated(train=12, validation=4))
    examples = splits.subset(0, ALL, "train+validation")
    folds = splits.folds(3, 0, ALL)
    for part in ("inputs", "group"):
        parts = [{getattr(examples[row], part) for row in fold} - {""} for fold in folds]
        assert sum(map(len, parts)) == len(set().union(*parts)) > 1


def test_too_few_examples_for_the_folds_fail_the_cell_in_one_line() -> None:
    protocol = Protocol(folds=30, final="train+validation")
    result = Rehearsal(ToyMajority(), None, ToyTask(train=16, validation=8), protocol).fit({}).result
    assert result.status == "failed"
    assert "fold 1 of 30: PluginError: toy-tone: 30 folds need as many training examples" in result.reason
    assert not issubclass(PluginError, DataError)


def test_folds_share_one_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    from tlbench.modeling.activations import activation_cache

    encoded: list[int] = []
    encode = activation_cache.encode_hidden

    def counted(encoder: Any, data: Any, *rest: Any) -> Any:
        encoded.append(len(data))
        return encode(encoder, data, *rest)

    monkeypatch.setattr(activation_cache, "encode_hidden", counted)

    class Frozen(ToyFit):
        def fit(self, job: Job) -> Any:
            for data in (job.train, job.validation):
                assert len(job.activations.hidden(job.encoder, data, 1)) == len(data)
            return super().fit(job)

    rehearsal = Rehearsal(Frozen(), ToyBackbone(), ToyTask(train=30, validation=10), FOLDS)
    assert [rehearsal.fit(PARAMS).result.status for _ in range(2)] == ["ok", "ok"]
    assert encoded == [40]
