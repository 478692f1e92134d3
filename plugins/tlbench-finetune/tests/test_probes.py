"""The probes of tlbench-finetune, over several params and seeds in one pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from tlbench_finetune.probes.features import FeaturePredictor
from tlbench_finetune.probes.linear_probe import LinearProbe
from tlbench_finetune.probes.mlp_probe import MlpProbe
from tlbench_finetune.probes.samples import sample_of

import tlbench.training
from tlbench import Diverged, Job, PluginError, Protocol, Scalar, Strategy, Task
from tlbench.contracts.identity.amount import ALL
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.data import Data
from tlbench.modeling.heads import PooledHead
from tlbench.testing.agreement import assert_same_in_fp64
from tlbench.testing.jobs import Rehearsal, make_job
from tlbench.testing.toy_kinds import ToyLabelsTask, ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask
from tlbench.training import ModelPredictor

PROTOCOL = Protocol(max_steps=6, precision="fp32")
TASKS: list[Task] = [ToyTask(), ToyScalarTask(), ToyLabelsTask()]


def _jobs(strategy: Strategy, task: Task, params: Sequence[dict[str, float]]) -> list[Job]:
    """Returns jobs of one process, one seed each, whose encoder is in fp64."""
    job = make_job(strategy, ToyBackbone(), task, params[0], PROTOCOL)
    job.encoder.double()
    return [
        dataclasses.replace(job, params=one, seed=seed, train=job.train.take(range(seed, 40 + seed)), notes={})
        for seed, one in enumerate(params)
    ]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize(
    ("strategy", "params"),
    [
        (LinearProbe(), [{"l2": 1e-3}, {"l2": 1e-3}, {"l2": 1.0}]),
        (MlpProbe(hidden=8), [{"lr": lr, "weight_decay": 0.1} for lr in (1e-2, 1e-2, 1e-3)]),
    ],
    ids=lambda value: value.name if isinstance(value, Strategy) else "",
)
def test_a_seed_without_features_costs_no_other_seed(
    task: Task, strategy: Strategy, params: list[dict[str, float]]
) -> None:
    jobs = _jobs(strategy, task, params)
    whole = jobs[1].activations

    class Holed:
        """Returns features that are not finite for the second job's examples."""

        def features(self, encoder: Any, data: Data, precision: str) -> torch.Tensor:
            found = whole.features(encoder, data, precision)
            return found * torch.nan if data.fingerprint == jobs[1].train.fingerprint else found

    holed = [dataclasses.replace(job, activations=Holed()) for job in jobs]
    first, second, third = strategy.fit_batch(holed)
    assert isinstance(second, Diverged)
    for job, predictor in ((jobs[0], first), (jobs[2], third)):
        alone, answers = (one.predict(job.validation) for one in (strategy.fit(job), predictor))
        assert np.array_equal(answers.values, alone.values) or isinstance(task.output, Scalar)
        numbers = [p.values if p.scores is None else p.scores for p in (answers, alone)]
        assert_same_in_fp64(*(torch.from_numpy(each) for each in numbers))
    assert [len(r) for r in [strategy.fit_batch(holed[1:2])]] == [1], "not even when nothing is left"


def test_an_mlp_that_diverges_poisons_no_other() -> None:
    params = [{"lr": lr, "weight_decay": 0.1} for lr in (1e-2, float("inf"), 1e-2)]
    jobs = _jobs(MlpProbe(hidden=8), ToyTask(), params)
    first, second, third = MlpProbe(hidden=8).fit_batch(jobs)
    assert isinstance(second, Diverged)
    assert isinstance(first, FeaturePredictor)
    assert isinstance(third, FeaturePredictor)
    with pytest.raises(Diverged, match="not finite"):
        MlpProbe(hidden=8).fit(jobs[1])


def test_an_mlps_own_weights_are_among_all_of_them() -> None:
    backbone = ToyBackbone()
    fitted = Rehearsal(MlpProbe(hidden=8), backbone, ToyTask(), PROTOCOL).fit()
    encoder = backbone.load()
    trained = 8 * (encoder.width + 1) + 2 * (8 + 1)
    assert fitted.result.trainable_parameters == trained
    assert fitted.result.parameters == sum(p.numel() for p in encoder.parameters()) + trained


def test_an_mlp_trains_as_long_as_the_protocol_says() -> None:
    for protocol, steps in [
        (Protocol(max_steps=7, precision="fp32"), 7),
        (Protocol(epochs=2, precision="fp32"), 8),
        (Protocol(precision="fp32"), 200),
    ]:
        job = make_job(MlpProbe(), ToyBackbone(), ToyTask(), protocol=protocol)
        MlpProbe(train_batch_size=16).fit(job)
        assert job.notes["steps"] == steps
        assert job.train.meter.rows == steps * 16


def test_same_data_is_solved_once_whatever_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    solve_logistic = tlbench.training.solve_logistic

    def counting(problems: Any, classes: int) -> Any:
        asked.extend(len(problem.penalties) for problem in problems)
        return solve_logistic(problems, classes)

    monkeypatch.setattr(tlbench.training, "solve_logistic", counting)
    job = make_job(LinearProbe(), ToyBackbone(), ToyTask(), protocol=PROTOCOL)
    jobs = [dataclasses.replace(job, seed=seed, params={"l2": l2}) for seed in (0, 1, 2) for l2 in (0.1, 1.0)]
    predictors = LinearProbe().fit_batch(jobs)
    assert asked == [2]
    answers = [predictor.predict(job.validation).scores for predictor in predictors]  # type: ignore[union-attr]
    assert np.array_equal(answers[0], answers[2])
    assert not np.array_equal(answers[0], answers[1])


def test_labels_are_answered_with_a_probability_each() -> None:
    job = make_job(LinearProbe(), ToyBackbone(), ToyLabelsTask(train=128), {"l2": 1e-3}, PROTOCOL)
    predictions = LinearProbe().fit(job).predict(job.train)
    assert predictions.scores is not None
    assert predictions.values.shape == predictions.scores.shape == (128, 3)
    np.testing.assert_array_equal(predictions.values, predictions.scores > 0.5)
    wanted = job.train.targets
    assert (predictions.values == wanted).mean() > max(wanted.mean(), 1 - wanted.mean()) + 0.2


def _word_job(**params: float) -> Job:
    job = make_job(LinearProbe(), ToyBackbone(), ToyWordsTask(), params or {"l2": 1e-2}, PROTOCOL)
    return dataclasses.replace(job, encoder=job.encoder.double(), head=job.head.double())  # type: ignore[union-attr]


def test_words_are_the_rows_of_a_probe() -> None:
    job = _word_job()
    sample = sample_of(job)
    words = [(i, place) for i, example in enumerate(job.train.examples) for place in range(len(example.inputs[0]))]
    assert len(sample.features) == len(sample.targets) == len(words)
    assert sample.targets.tolist() == [job.train.examples[i].target[place] for i, place in words]
    with torch.no_grad():
        for row in (0, 17, 63):
            (alone,) = job.encoder(job.train.batch([row])).x
            mine = sample.features[[n for n, (i, _) in enumerate(words) if i == row]]
            assert_same_in_fp64(mine, alone[: len(mine)])


def test_a_probe_of_words_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    job = _word_job(l2=1e-2)
    predictor = LinearProbe().fit(job)
    assert isinstance(predictor, ModelPredictor)
    assert predictor.trainable_parameters == 16 * 4 + 4
    answers = [word for example in predictor.predict(job.train).values for word in example]
    sample = sample_of(job)
    x = sample.features.double().numpy()
    x = (x - x.mean(0)) / x.std(0)
    theirs = LogisticRegression(C=1 / (1e-2 * len(x)), tol=1e-8, max_iter=5000).fit(x, sample.targets)
    assert np.mean(theirs.predict(x) == answers) > 0.99
    assert np.mean(answers == sample.targets.numpy()) > np.mean(sample.targets.numpy() == 0) + 0.05
    assert [len(answer) for answer in predictor.predict(job.validation).values] == [
        len(example.inputs[0]) for example in job.validation.examples
    ]


def test_words_are_read_where_hidden_states_cannot_be_kept() -> None:
    job = _word_job()
    bounded = dataclasses.replace(job, activations=Activations(limit_bytes=100))
    assert bounded.activations.hidden(job.encoder, job.train, len(job.encoder.stages)) is job.train
    assert_same_in_fp64(sample_of(bounded).features, sample_of(job).features)


def test_seeds_of_words_are_charged_for_what_they_share() -> None:
    job = _word_job()
    parts = [job.train.share(range(seed, 40 + seed)) for seed in range(3)]
    activations = Activations()
    jobs = [dataclasses.replace(job, train=part, activations=activations, notes={}) for part in parts]
    with activations.metering() as usage:
        LinearProbe().fit_batch(jobs)
    assert list(usage.read.values()) == [pytest.approx(usage.encode_paid_seconds * 40 / 64)]


def test_each_setting_of_words_keeps_its_own_weights() -> None:
    jobs = [_word_job(l2=l2) for l2 in (1e-4, 10.0)]
    jobs = [dataclasses.replace(job, encoder=jobs[0].encoder, activations=jobs[0].activations) for job in jobs]
    together = LinearProbe().fit_batch(jobs)
    for job, predictor in zip(jobs, together, strict=True):
        alone = LinearProbe().fit(_word_job(l2=float(job.params["l2"])))
        assert predictor.predict(job.validation).values.tolist() == alone.predict(job.validation).values.tolist()  # type: ignore[union-attr]
    small, large = (job.head.linear.weight.norm() for job in jobs)  # type: ignore[union-attr]
    assert small > 2 * large


def test_a_probe_of_words_needs_a_layer_on_words() -> None:
    job = _word_job()
    with pytest.raises(PluginError, match="PooledHead"):
        LinearProbe().fit(dataclasses.replace(job, head=PooledHead(16, ToyTask.output)))
    with pytest.raises(PluginError, match="no alignment of words"):
        LinearProbe().fit(dataclasses.replace(job, train=dataclasses.replace(job.train, alignment=None)))


def test_a_probe_on_folds_is_scikit_learns_cross_val_predict() -> None:
    """Several penalties in one pass; each score is of the predictions of all folds together."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score
    from sklearn.model_selection import PredefinedSplit, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tlbench.running.splits import Splits

    protocol = Protocol(folds=4, final="train+validation", precision="fp32")
    rehearsal = Rehearsal(LinearProbe(class_weight="balanced"), ToyBackbone(), ToyTask(), protocol)
    penalties = [1e-3, 1.0]
    fitted = rehearsal.fit_batch([{"l2": l2} for l2 in penalties])

    splits = Splits(ToyTask())
    examples = splits.subset(0, ALL, "train+validation")
    folds = splits.folds(4, 0, ALL)
    fold_of = [next(i for i, fold in enumerate(folds) if row in fold) for row in range(len(examples))]
    job = make_job(LinearProbe(), ToyBackbone(), ToyTask(), {"l2": 1.0})
    features = job.activations.features(job.encoder, job.featurize(examples)).double().numpy()
    targets = np.array([example.target for example in examples])
    for l2, one in zip(penalties, fitted, strict=True):
        # scikit-learn's C is of a sum over the training rows, of which every fold has equally many.
        rows = len(examples) * 3 // 4
        assert {len(examples) - len(fold) for fold in folds} == {rows}
        solver = LogisticRegression(C=1 / (l2 * rows), class_weight="balanced", tol=1e-8, max_iter=5000)
        model = make_pipeline(StandardScaler(), solver)
        theirs = cross_val_predict(model, features, targets, cv=PredefinedSplit(fold_of))
        assert one.result.validation == pytest.approx(accuracy_score(targets, theirs)), l2
