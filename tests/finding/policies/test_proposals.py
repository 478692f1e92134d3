"""Settings that policies can propose: all of a small space, random ones of a large one, and steps beside one."""

import pytest

from tlbench.contracts.policies.policy import Candidate, Situation
from tlbench.contracts.space import Choice, Float, Int, When, checked
from tlbench.finding.policies.proposals import LEAST_SETTINGS, beside, settings_of, shuffled
from tlbench.finding.simulated import fault_of_proposal


def candidate(space, defaults, number=0):
    return Candidate(number, "made", "net", space=checked(space), defaults=defaults)


def situation(*candidates, seed=0):
    return Situation(candidates, (), (), 1.0, 1.0, lambda proposal: 1.0, 100, seed=seed)


RATE = Float(1e-5, 1e-2, log=True)
OPTIMIZER = {"optimizer": Choice(("adamw", "sgd")), **When("optimizer", "sgd", momentum=Float(0.5, 0.9))}


def test_a_small_space_is_listed_whole_with_the_defaults_first():
    one = candidate({"lr": Choice((1, 2, 3)), "depth": Int(1, 2)}, {"lr": 2, "depth": 1})
    settings = [dict(proposal.params) for proposal in settings_of(one, 64, 0)]
    assert settings[0] == {"lr": 2, "depth": 1}
    assert sorted((params["lr"], params["depth"]) for params in settings) == [(a, b) for a in (1, 2, 3) for b in (1, 2)]


def test_a_large_space_is_drawn_inside_of_it():
    defaults = {"lr": 1e-3, "rank": 8, "optimizer": "sgd", "momentum": 0.9}
    one = candidate({"lr": RATE, "rank": Int(2, 500, log=True), **OPTIMIZER}, defaults)
    settings = settings_of(one, 32, 0)
    assert len(settings) == 32
    assert settings[0].params == one.defaults
    assert all(not fault_of_proposal(situation(one), proposal) for proposal in settings)
    assert {"momentum" in proposal.params for proposal in settings} == {True, False}
    assert settings_of(one, 32, 1)[1:] != settings[1:]


def test_many_candidates_have_fewer_random_settings_each():
    many = [candidate({"lr": RATE}, {"lr": 1e-3}, number) for number in range(100)]
    assert len(shuffled(situation(*many))) == 100 * LEAST_SETTINGS
    assert shuffled(situation(*many)) == shuffled(situation(*many))
    assert shuffled(situation(*many, seed=1)) != shuffled(situation(*many))


@pytest.mark.parametrize(
    ("space", "start", "width", "expected"),
    [
        ({"lr": RATE}, {"lr": 1e-3}, 1.0, [{"lr": 3e-3}, {"lr": 3.33e-4}]),
        ({"lr": RATE}, {"lr": 5e-3}, 1.0, [{"lr": 1e-2}, {"lr": 1.67e-3}]),
        ({"lr": RATE}, {"lr": 1e-2}, 1.0, [{"lr": 3.33e-3}]),
        ({"lr": RATE}, {"lr": 1e-3}, 0.5, [{"lr": 1.73e-3}, {"lr": 5.77e-4}]),
        ({"depth": Int(1, 9)}, {"depth": 2}, 1.0, [{"depth": 4}, {"depth": 1}]),
        ({"lr": Choice((1e-3, 1e-4, 1e-2))}, {"lr": 1e-3}, 1.0, [{"lr": 1e-2}, {"lr": 1e-4}]),
        ({"pool": Choice(("mean", "cls", "max"))}, {"pool": "cls"}, 1.0, [{"pool": "mean"}, {"pool": "max"}]),
        ({"fixed": Choice((1,))}, {"fixed": 1}, 1.0, []),
    ],
)  # fmt: skip
def test_a_step_goes_up_and_down_and_stays_in_the_space(space, start, width, expected):
    assert beside(candidate(space, start), start, width) == expected


def test_a_step_back_returns_to_the_same_setting():
    one = candidate({"lr": RATE}, {"lr": 1e-4})
    assert {"lr": 1e-4} in beside(one, {"lr": 3e-4})


def test_the_learning_rate_is_stepped_first_and_conditions_hold():
    one = candidate({**OPTIMIZER, "lr": RATE}, {"lr": 1e-3, "optimizer": "adamw"})
    steps = beside(one, one.defaults)
    assert [step["lr"] for step in steps] == [3e-3, 3.33e-4, 1e-3]
    assert steps[2] == {"optimizer": "sgd", "momentum": 0.7, "lr": 1e-3}
    assert beside(one, steps[2])[2]["optimizer"] == "adamw"
    assert "momentum" not in beside(one, steps[2])[2]
