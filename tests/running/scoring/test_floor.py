"""Final fits that cannot be told from a constant answer are on record, and named in the table."""

import msgspec
import numpy as np
import pytest

from tlbench.contracts.record import TestScore
from tlbench.metrics import METRICS
from tlbench.metrics.scored import Scored, objects
from tlbench.results.leaderboard import frame
from tlbench.results.notes.floor_notes import floor_note
from tlbench.results.over_tasks import summary
from tlbench.running.scoring.floor import gives_one_answer, reaches


@pytest.mark.parametrize(
    ("targets", "same", "other"),
    [
        ([0, 1, 1], [1, 1, 1], [1, 0, 1]),
        ([0.0, 1.0, 3.0], [2.0, 2.0, 2.0 + 1e-6], [2.0, 2.0, 2.1]),
        (np.array([[0, 1], [1, 1]]), np.array([[1, 0], [1, 0]]), np.array([[1, 0], [0, 0]])),
        (objects([("O", "B"), ("O",)]), objects([("O", "O"), ("O",)]), objects([("O", "B"), ("O",)])),
        (objects([("a",), ("b",)]), objects(["a", "a"]), objects(["a", "c"])),
    ],
    ids=["classes", "numbers", "labels", "tags", "texts"],
)
def test_one_answer_to_all_examples(targets, same, other):
    assert gives_one_answer(Scored(targets, same))
    assert not gives_one_answer(Scored(targets, other))


@pytest.mark.parametrize("targets", [[1, 1], [2.0, 2.0], objects([("O",), ("O", "O")]), objects([("a",), ("a",)])])
def test_one_answer_is_right_where_all_targets_are_equal(targets):
    values = objects([target[0] for target in targets]) if isinstance(targets[0], tuple) else targets
    tags = isinstance(targets[0], tuple) and targets[0] == ("O",)
    assert not gives_one_answer(Scored(targets, targets if tags else values))


def test_an_interval_reaches_the_floor_from_the_side_of_better_scores():
    def score(low, high):
        return TestScore("", 0, (low + high) / 2, low, high, 9)

    accuracy, log_loss = METRICS["accuracy"], METRICS["log_loss"]
    assert reaches(score(0.4, 0.6), 0.5, accuracy)
    assert reaches(score(0.2, 0.3), 0.5, accuracy)
    assert not reaches(score(0.51, 0.6), 0.5, accuracy)
    assert reaches(score(0.6, 0.8), 0.7, log_loss)
    assert not reaches(score(0.6, 0.69), 0.7, log_loss)


def _by_strategy(runs, *strategies, **what):
    return {record.cell.strategy.name: record for record in runs.run(strategies, trials=1, **what)}


def _notes(records):
    return frame(records.values()).set_index("strategy")["notes"]


def _learned(record):
    """Returns a record as if its fits had left the floor; the toy tasks are too small for a test to show it."""
    return msgspec.structs.replace(record, floor=msgspec.structs.replace(record.floor, at_floor=()))


def test_a_cell_that_gives_one_answer_is_named(runs):
    records = _by_strategy(runs, "toy-guess", "linear-probe", "toy-majority", seeds=(0, 1, 2))
    guess = records["toy-guess"].floor
    assert records["toy-majority"].floor is None
    assert guess.one_answer == guess.at_floor == (0, 1, 2)
    assert guess.score == pytest.approx(records["toy-majority"].scores[0].value)
    notes = _notes(records | {"linear-probe": _learned(records["linear-probe"])})
    assert notes["toy-guess"] == "collapsed: one answer in 3 of 3 seeds"
    assert notes["linear-probe"] == notes["toy-majority"] == ""


def test_where_no_row_leaves_the_floor_the_task_is_to_blame(runs):
    notes = _notes(_by_strategy(runs, "toy-guess", "linear-probe", "toy-majority", seeds=(0, 1)))
    assert notes["toy-guess"] == "one answer in 2 of 2 seeds, like all rows of toy-tone"
    assert notes["linear-probe"] == "at the floor in 2 of 2 seeds, like all rows of toy-tone"
    assert notes["toy-majority"] == ""


def test_a_fit_from_random_weights_that_hardly_trained_is_starved(runs):
    space = {"from-scratch": {"lr": 1e-6}, "full-finetune": {"lr": 1e-6}}
    records = _by_strategy(runs, "from-scratch", "full-finetune", "linear-probe", max_steps=3, space=space)
    scratch = records["from-scratch"]
    assert not scratch.floor.pretrained
    first, last = (scratch.fits[0].notes[name] for name in ("first_loss", "last_loss"))
    notes = _notes(records | {"linear-probe": _learned(records["linear-probe"])})
    assert notes["from-scratch"] == f"starved: at the floor after 3 steps (training loss {first:.3g} to {last:.3g})"
    assert notes["full-finetune"] == "at the floor after 3 steps"
    assert notes["linear-probe"] == ""


def test_the_table_over_tasks_counts_tasks_at_the_floor(runs):
    records = _by_strategy(runs, "toy-guess", "toy-majority", seeds=(0, 1))
    floors = summary(frame(records.values())).set_index("strategy")["at_floor"]
    assert floors.to_dict() == {"toy-guess": 1, "toy-majority": 0}


def test_one_that_has_learned_its_training_examples_is_not_starved(runs):
    scratch = _by_strategy(runs, "from-scratch", max_steps=3, space={"from-scratch": {"lr": 1e-6}})["from-scratch"]
    (fit,) = scratch.fits
    learned = msgspec.structs.replace(fit, notes=fit.notes | {"last_loss": 0.1})
    assert floor_note(scratch).startswith("starved: at the floor after 3 steps")
    assert not floor_note(msgspec.structs.replace(scratch, fits=(learned,))).startswith("starved")
