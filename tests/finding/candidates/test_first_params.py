"""The first params of a candidate, and the cell that fixes them."""

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.space import Choice, Float, Int, When, checked
from tlbench.finding.candidates.first_params import cell_of, first_params


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


def test_a_search_and_its_finals_share_fits():
    cell = Cell(Ref("task"), Ref("strategy"), Protocol(max_steps=60), Ref("backbone"))
    searched, final = cell_of(cell, {"lr": 1e-4}), cell_of(cell, {"lr": 1e-4}, (0, 1, 2))
    assert searched.fits_id == final.fits_id
    assert searched.id != final.id
    assert cell_of(cell, {"lr": 2e-4}).fits_id != searched.fits_id
