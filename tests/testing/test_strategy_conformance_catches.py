"""Each check of a strategy is shown one that breaks it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tlbench.contracts.exports.forms import DenseHead
from tlbench.contracts.outputs import Predictions
from tlbench.contracts.space import Float
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.faults import FailingStrategy, MeddlingStrategy, PeekingStrategy, ShortStrategy
from tlbench.testing.toy_predictors import ToyPredictor
from tlbench.testing.toys import ToyFit, ToyGuess


class Unseeded(ToyFit):
    """Draws from a generator of its own."""

    def fit(self, job):
        generator = torch.Generator()
        generator.seed()
        with torch.no_grad():
            job.head.linear.weight.add_(torch.randn(job.head.linear.weight.shape, generator=generator))
        return super().fit(job)


class Idle(ToyFit):
    """Offers a hyperparameter that it never reads."""

    def space(self, about):
        return {**super().space(about), "idle": Float(0, 1)}


class Deaf(ToyFit):
    """Goes on after it was pruned."""

    def fit(self, job):
        def report(step, score, **more):
            try:
                job.report(step, score, **more)
            except Exception:
                return

        return super().fit(dataclasses.replace(job, report=report))


class Sharing(ToyFit):
    """All its predictors share the weights of the last fit."""

    last: list = []

    def fit(self, job):
        self.last[:] = [super().fit(job)]
        return self

    def predict(self, data):
        return self.last[0].predict(data)


class Remembering(ToyFit):
    """Its answers depend on how often it was fitted."""

    fits: list = []

    def fit(self, job):
        self.fits.append(1)
        job.head.linear.bias.data[0] += len(self.fits)
        return super().fit(job)


class Hoarding(ToyFit):
    """Answers all rows wrongly in a batch, and not so the same setting alone."""

    batch_size = 4

    def fit_batch(self, jobs):
        return [Everything(job) for job in jobs]


class OneSeedForAll(ToyFit):
    """Fits every seed on the training subset of the first."""

    batch_size = 4

    def fit_batch(self, jobs):
        first = jobs[0].train
        own = [dataclasses.replace(first, meter=job.train.meter) for job in jobs]
        return super().fit_batch([dataclasses.replace(job, train=train) for job, train in zip(jobs, own, strict=True)])


class Miscounting(ToyFit):
    """Counts all rows in the first job's meter."""

    batch_size = 4

    def fit_batch(self, jobs):
        return super().fit_batch([dataclasses.replace(job, train=jobs[0].train) for job in jobs])


class Careless(ToyFit):
    """Loads a new head, whatever the folder holds."""

    def load(self, job, folder):
        return ToyPredictor(job.encoder, job.head, job.device, 0)


class Choosing(ToyFit):
    """Scores itself on the validation split, whether there is one or not."""

    def fit(self, job):
        predictor = super().fit(job)
        job.notes["score"] = job.score(predictor)
        return predictor


class Misdescribed(ToyPredictor):
    """Leaves the bias of its head out of what it exports."""

    def exportable(self, *, keep_adapter=False):
        form = super().exportable(keep_adapter=keep_adapter)
        ((weight, bias),) = form.head.layers
        return dataclasses.replace(form, head=DenseHead(((weight, torch.zeros_like(bias)),)))


class Misleading(ToyFit):
    """Its predictors describe another model than themselves."""

    def load(self, job, folder):
        loaded = super().load(job, folder)
        return Misdescribed(loaded.encoder, loaded.head, loaded.device, 0)

    def fit(self, job):
        fitted = super().fit(job)
        fitted.head.linear.bias.data += torch.arange(len(fitted.head.linear.bias))
        return fitted


class Everything:
    """Answers every row of the validation split wrongly."""

    def __init__(self, job):
        self.targets = dict(zip(job.validation.ids, job.head.targets(job.validation).tolist(), strict=True))

    def predict(self, data):
        return Predictions(data.ids, np.array([1 - self.targets[name] for name in data.ids]))


@pytest.mark.parametrize(
    ("strategy", "check", "message"),
    [
        (FailingStrategy(), "test_fits", "fails on purpose"),
        (PeekingStrategy(), "test_fits", "SealBroken"),
        (ShortStrategy(), "test_fits", "did not answer every example"),
        (Unseeded(), "test_same_seed_same_result", "with a newly loaded encoder"),
        (Remembering(), "test_same_seed_same_result", "other predictions"),
        (Idle(), "test_reads_what_its_space_offers", "idle"),
        (Sharing(), "test_predictor_outlives_the_next_fit", "after the next fit"),
        (Hoarding(), "test_several_settings_at_once", r"\+-|±|approx"),
        (Deaf(), "test_pruning_ends_the_fit", "went on after"),
        (
            Choosing(),
            "test_a_final_fit_needs_no_validation_split",
            "(?s)there is no validation split: .*needs_validation",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ToyFit) else "",
)
def test_a_wrong_strategy_is_caught(strategy, check, message):
    with pytest.raises(AssertionError, match=message):
        getattr(type("Check", (StrategyConformance,), {"strategy": strategy})(), check)()


@pytest.mark.parametrize(
    ("strategy", "check", "message"),
    [
        (MeddlingStrategy(), "test_a_saved_predictor_answers_as_before", "has no `save`"),
        (Careless(), "test_a_saved_predictor_answers_as_before", "after it was saved and loaded"),
        (Careless(), "test_what_was_not_saved_is_not_loaded", "which holds none"),
        (Misleading(), "test_a_saved_predictor_answers_as_before", "the exported folder predicts otherwise"),
    ],
    ids=["no save", "loads another", "loads anything", "exports another"],
)
def test_a_strategy_that_loads_what_it_did_not_save_is_caught(strategy, check, message, tmp_path):
    with pytest.raises(AssertionError, match=message):
        getattr(type("Check", (StrategyConformance,), {"strategy": strategy})(), check)(tmp_path)


def test_what_a_toy_guesses_is_saved(tmp_path):
    check = type("Check", (StrategyConformance,), {"strategy": ToyGuess()})()
    check.test_a_saved_predictor_answers_as_before(tmp_path)
    check.test_what_was_not_saved_is_not_loaded(tmp_path / "more")


@pytest.mark.parametrize(
    ("strategy", "message"),
    [(OneSeedForAll(), "seed [12] is .* away"), (Miscounting(), "examples are miscounted")],
)
def test_a_strategy_that_mixes_up_seeds_is_caught(strategy, message):
    check = type("Check", (StrategyConformance,), {"strategy": strategy, "fused_tolerance": 1e-3})()
    with pytest.raises(AssertionError, match=message):
        check.test_several_seeds_at_once()
