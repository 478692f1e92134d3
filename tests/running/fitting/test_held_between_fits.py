"""What a worker holds between the fits of a cell, and what it lets go."""

from __future__ import annotations

import weakref

import pytest

from tlbench.running.fitting.worker import Worker
from tlbench.testing.toys import ToyTune


@pytest.fixture
def held(monkeypatch):
    """Entries of activations after each order, and predictors alive before each fit, of a worker for one cell."""
    entries, alive, predictors = [], [], []
    made, carry_out, fit = Worker.__init__, Worker.carry_out, ToyTune.fit

    def watched_order(self, order):
        result = carry_out(self, order)
        entries.append(len(self._session.activations._entries))
        return result

    def watched_fit(self, job):
        alive.append(sum(one() is not None for one in predictors))
        for data in (job.train, job.held_out):
            job.activations.hidden(job.encoder, data, 1)
        predictor = fit(self, job)
        predictors.append(weakref.ref(predictor))
        return predictor

    monkeypatch.setattr(Worker, "__init__", lambda self, isolated: made(self, isolated=True))
    monkeypatch.setattr(Worker, "carry_out", watched_order)
    monkeypatch.setattr(ToyTune, "fit", watched_fit)
    return entries, alive


def test_between_fits_one_predictor_and_the_activations_of_one_training_set_are_held(runs, held):
    assert runs.one("toy-tune", trials=3, seeds=3, train_limit=16, max_steps=1).status == "ok"
    entries, alive = held
    assert len(alive) == 5, "three trials, and two seeds beside the winner's"
    assert alive[0] == 0
    assert max(alive) == 1, "no more than the best trial's"
    assert entries == [2] * 7, "train and validation, whatever the seed"


def test_activations_that_all_seeds_read_stay(runs, held):
    assert runs.one("toy-tune", trials=1, seeds=2, max_steps=1).status == "ok"
    assert set(held[0]) == {2}
