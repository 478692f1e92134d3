"""Rows whose fits learned nothing are named in notes, legend and the table over tasks."""

import msgspec
import pytest

from tests.results.render.test_page import leaderboard, markdown
from tests.results.render.test_page_metrics import text_of
from tlbench.contracts.record import FitResult, Floor, TestScore
from tlbench.results.columns import rows_of
from tlbench.results.leaderboard import frame
from tlbench.results.notes.floor_notes import LEGEND, floor_note
from tlbench.results.over_tasks import summary

SEEDS = (0, 1, 2)


@pytest.fixture
def record(made):
    def make(strategy, floor, notes=None, task="some-task", seeds=SEEDS, **protocol):
        scores = tuple(TestScore("accuracy", seed, 0.5, 0.45, 0.55, 500) for seed in seeds)
        fits = tuple(FitResult({}, seed, "final", 0, "ok", notes=notes or {}) for seed in seeds)
        cell = made.cell(task, strategy, **{"seeds": SEEDS, **protocol})
        return msgspec.structs.replace(made.record(cell), scores=scores, fits=fits, floor=floor)

    return make


LEFT = Floor(0.4)
COLLAPSED = Floor(0.5, SEEDS, SEEDS)
AT_FLOOR = Floor(0.5, (), SEEDS)


def test_each_way_of_learning_nothing_has_a_note(record):
    trained = {"steps": 96, "first_loss": 0.7, "last_loss": 0.69}
    learned = {"steps": 96, "first_loss": 0.7, "last_loss": 0.01}
    unlearned = msgspec.structs.replace(AT_FLOOR, pretrained=False)
    for floor, notes, text in (
        (None, {}, ""),
        (LEFT, trained, ""),
        (COLLAPSED, {}, "collapsed: one answer in 3 of 3 seeds"),
        (COLLAPSED, trained, "collapsed: one answer after 96 steps in 3 of 3 seeds"),
        (Floor(None, (1,), (1,)), {}, "collapsed: one answer in 1 of 3 seeds"),
        (Floor(0.5, (1,), (0, 1)), {}, "at the floor in 2 of 3 seeds"),
        (AT_FLOOR, trained, "at the floor after 96 steps in 3 of 3 seeds"),
        (unlearned, trained, "starved: at the floor after 96 steps in 3 of 3 seeds (training loss 0.7 to 0.69)"),
        (unlearned, learned, "at the floor after 96 steps in 3 of 3 seeds"),
        (unlearned, {}, "at the floor in 3 of 3 seeds"),
    ):
        assert floor_note(record("tune", floor, notes)) == text


def test_a_fit_that_notes_only_one_of_its_losses_counts_in_no_mean(record):
    unlearned = msgspec.structs.replace(AT_FLOOR, pretrained=False)
    one = record("tune", unlearned, {"first_loss": 0.7, "last_loss": 0.69})
    fits = (one.fits[0], *(msgspec.structs.replace(fit, notes={"last_loss": 9.0}) for fit in one.fits[1:]))
    note = floor_note(msgspec.structs.replace(one, fits=fits))
    assert note == "starved: at the floor in 3 of 3 seeds (training loss 0.7 to 0.69)"


def test_a_row_of_one_seed_does_not_count_seeds(record):
    assert floor_note(record("tune", Floor(0.5, (0,), (0,)), seeds=(0,))) == "collapsed: one answer"


def _notes(*records):
    return frame(records).set_index("strategy")["notes"].to_dict()


def test_where_no_row_leaves_the_floor_the_task_is_to_blame(record):
    both = [record("tune", COLLAPSED), record("probe", AT_FLOOR), record("majority", None)]
    assert _notes(*both) == {
        "tune": "one answer in 3 of 3 seeds, like all rows of some-task",
        "probe": "at the floor in 3 of 3 seeds, like all rows of some-task",
        "majority": "",
    }
    # Another task says nothing of this one, and one row alone may itself be to blame.
    alone = _notes(record("tune", COLLAPSED), record("other", LEFT, task="other-task"))
    assert alone == {"tune": "collapsed: one answer in 3 of 3 seeds", "other": ""}
    # One seed that leaves the floor shows that the task can be learned.
    partly = record("probe", Floor(0.5, (), (0, 1)))
    assert _notes(record("tune", COLLAPSED), partly)["tune"] == "collapsed: one answer in 3 of 3 seeds"


def test_a_cell_that_was_stopped_for_futility_says_so(record):
    stopped = record("tune", LEFT, seeds=(0,), stop="futility")
    whole, other = record("probe", LEFT, stop="futility"), record("fit", LEFT, seeds=(0,))
    assert _notes(stopped, whole, other) == {
        "tune": "stopped for futility after 1 of 3 seeds", "probe": "", "fit": ""
    }  # fmt: skip


def test_the_page_shows_notes_and_explains_them(record):
    table = frame([record("tune", COLLAPSED), record("probe", LEFT), record("majority", None)])
    assert "(a) `collapsed: one answer in 3 of 3 seeds`." in markdown(table)
    assert LEGEND in markdown(table)
    assert "(a) collapsed: one answer in 3 of 3 seeds" in text_of(leaderboard(table))
    assert LEGEND not in markdown(frame([record("probe", LEFT)]))


def test_the_table_over_tasks_counts_tasks_at_the_floor(record):
    records = [
        record("tune", COLLAPSED), record("tune", AT_FLOOR, task="b"), record("tune", LEFT, task="c"),
        record("tune", Floor(0.5, (), (1,)), task="d"),
    ]  # fmt: skip
    table = frame(records)
    assert {row["task"]: row["at_floor"] for row in rows_of(table)} == {"some-task": 3, "b": 3, "c": 0, "d": 1}
    assert summary(table)["at_floor"].tolist() == [2]
    assert "4/4, 2 at the floor" in markdown(table)
