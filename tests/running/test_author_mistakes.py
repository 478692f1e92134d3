"""Mistakes of plugin authors fail the cell, with a reason that names the broken contract."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tlbench import Float, When
from tlbench.testing.toys import ToyBackbone, ToyFit


class Listing:
    def predict(self, data):
        return [0] * len(data.ids)


def test_a_fit_that_returns_no_predictor(runs, monkeypatch):
    monkeypatch.setattr(ToyFit, "fit", lambda self, job: None)
    record = runs.one("toy-fit")
    assert record.status == "failed"
    assert "fit returned NoneType, which has no predict" in record.reason


def test_a_predictor_that_returns_no_predictions(runs, monkeypatch):
    monkeypatch.setattr(ToyFit, "fit", lambda self, job: Listing())
    record = runs.one("toy-fit")
    assert record.status == "failed"
    assert "predict returned list, not Predictions" in record.reason


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        ({"lr": (0.1, 1.0)}, "space()['lr'] is a tuple, not Float, Int or Choice"),
        (None, "space() returned NoneType, not a dict"),
        (When("optimizer", "sgd", momentum=Float(0.5, 0.99)), "depends on 'optimizer', which the space lacks"),
    ],
)
def test_a_space_of_something_else(runs, monkeypatch, space, reason):
    monkeypatch.setattr(ToyFit, "space", lambda self, about: space)
    record = runs.one("toy-fit", trials=2)
    assert record.status == "failed"
    assert reason in record.reason


def test_a_backbone_that_drops_rows(runs, monkeypatch):
    featurize = ToyBackbone.featurize

    def dropping(self, examples, output):
        data = featurize(self, examples, output)
        return replace(data, rows=data.rows[1:], lengths=data.lengths[1:], owners=data.owners[:-1])

    monkeypatch.setattr(ToyBackbone, "featurize", dropping)
    record = runs.one("toy-fit")
    assert record.status == "failed"
    assert "featurize left 1 examples without a row" in record.reason
