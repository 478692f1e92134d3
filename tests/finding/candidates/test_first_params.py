"""The first params of a candidate, and the cell that fixes them."""

import pytest

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.space import Choice, Float, Int, When, checked
from tlbench.finding.candidates.first_params import MOST_RAISED, USUAL_STEPS, cell_of, first_params


def test_defaults_come_first_and_the_rest_is_in_the_middle():
    space = checked(
        {
            "lr": Float(1e-5, 1e-3, log=True),
            "depth": Int(1, 4),
            "optimizer": Choice(("adamw", "sgd")),
            **When("optimizer", "sgd", momentum=Float(0.5, 0.9)),
        }
    )
    assert first_params(space, {"lr": 3e-5}) == {"lr": 3e-5, "depth": 2, "optimizer": "adamw"}
    params = first_params(space, {"optimizer": "sgd"})
    assert (round(params["lr"], 6), params["momentum"]) == (1e-4, 0.7)


def test_short_fits_begin_with_higher_learning_rates():
    space = checked({"lr": Float(1e-5, 1e-3, log=True), "weight_decay": Float(1e-3, 1e-1, log=True)})
    defaults = {"lr": 1e-4, "weight_decay": 0.01}
    assert first_params(space, defaults, USUAL_STEPS) == defaults
    assert first_params(space, defaults, USUAL_STEPS // 2) == {"lr": 2e-4, "weight_decay": 0.01}
    assert first_params(space, defaults, 1)["lr"] == pytest.approx(MOST_RAISED * 1e-4)
    assert first_params(space, {**defaults, "lr": 9e-4}, 60)["lr"] == 1e-3, "no rate outside the space"


def test_a_search_and_its_finals_share_fits():
    cell = Cell(Ref("task"), Ref("strategy"), Protocol(max_steps=60), Ref("backbone"))
    searched, final = cell_of(cell, {"lr": 1e-4}), cell_of(cell, {"lr": 1e-4}, (0, 1, 2))
    assert searched.fits_id == final.fits_id
    assert searched.id != final.id
    assert cell_of(cell, {"lr": 2e-4}).fits_id != searched.fits_id
