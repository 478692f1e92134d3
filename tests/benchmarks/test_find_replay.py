"""The replay of policies: what a search is charged, whose answer counts, and what the report says of drawn fits."""

import json

import numpy as np
import pytest

from benchmarks.find.grid_files import Encoding, Grid, GridBackbone, GridCandidate, GridFit, GridTask, write_grid
from benchmarks.find.replay import __main__ as command
from benchmarks.find.replay.grid_replay import replay_task
from benchmarks.find.replay.measures import mcnemar, oracle_gap, regret, upper_bound
from benchmarks.find.replay.replay_task import StoredFits
from benchmarks.find.replay.replayed import SHARES, replayed
from benchmarks.find.replay.rivals import rivals
from benchmarks.find.replay.shift_records import shift_tasks
from benchmarks.find.replay.synthetic_grid import synthetic_grid
from tlbench.contracts.policies.policy import Policy, Proposal
from tlbench.finding.simulated import simulate

SMALL = (80, 60)


def grid():
    """Returns a grid of a baseline and a backbone with a probe and one strategy at two rates, the second better."""
    candidates = (
        GridCandidate("majority", "baseline", ({},)),
        GridCandidate("probe", "probe", ({},), "net", parameters=10),
        GridCandidate("full", "adaptation", ({"lr": 0.1}, {"lr": 0.2}), "net", "all weights", 10),
    )
    fits = (
        GridFit(0, 0, 0, (0, 0, 0), (0, 0, 0)),
        GridFit(1, 0, 0, (1, 1, 1), (0, 0, 0), encodings=(0,)),
        GridFit(2, 0, 0, (1, 4, 8), (1, 1, 1), setup_seconds=0.5),
        GridFit(2, 1, 0, (1, 4, 8), (1, 1, 1), setup_seconds=0.5),
        GridFit(2, 1, 1, (2, 5, 9), (1, 1, 1), setup_seconds=0.5),
    )
    right = np.array([0.2, 0.5, 0.6, 0.8, 0.8])
    rows = (np.arange(100) + 0.5) / 100
    answers = rows < right[:, None]
    task = GridTask(
        "small",
        "text",
        2,
        10,
        100,
        100,
        (GridBackbone("net", "net", 10, 2.0),),
        candidates,
        (Encoding("net", 16.0),),
        fits,
    )
    return Grid(task, np.repeat(answers[:, None], 3, 1), answers)


class Fixed(Policy):
    name = "fixed"

    def __init__(self, *proposals):
        self.proposals = proposals

    def next(self, situation):
        return next((one for one in self.proposals if situation.is_new(one)), None)


def test_a_fit_is_charged_for_its_rung_set_up_its_share_of_validation_and_what_it_is_first_to_read():
    fits = StoredFits(replay_task(grid(), validation_rows=50), draw=0)
    first, again, probe = Proposal(2, {"lr": 0.1}, 8), Proposal(2, {"lr": 0.1}), Proposal(1, {})
    assert fits.cost(first) == fits.fit(first).seconds == 1 + 0.5 + 0.5 + 2.0  # the weights are loaded once
    assert fits.fit(again).seconds == 8 + 0.5 + 0.5
    assert fits.cost(probe) == fits.fit(probe).seconds == 1 + 16.0
    assert fits.cost(probe) == 1


def test_a_fit_that_the_deadline_stops_has_no_score_and_uses_up_the_budget():
    task = replay_task(grid())
    search = simulate(Fixed(Proposal(0, {}), Proposal(2, {"lr": 0.2})), StoredFits(task, 0), 9.0)
    assert [one.score is None for one in search.situation.outcomes] == [False, True]
    assert search.seconds == 9.0
    assert task.row_of(search.situation.best.proposal) == 0


def test_regret_is_what_the_answer_lacks_to_the_grid_s_pick():
    task = replay_task(grid(), validation_rows=100)
    assert task.grid_pick(0) == task.row_of(Proposal(2, {"lr": 0.2}))
    worse = np.array([task.row_of(Proposal(2, {"lr": 0.1}))])
    # The same rows are wrong in every fit, so that the difference varies with the half that scores.
    assert regret(task, worse).to_pick == pytest.approx(20, abs=5)
    assert oracle_gap(task, 1) == pytest.approx(0)
    assert task.grid_seconds == 0 + 1 + 16 + 2 + 2 * (8 + 1 + 0.5)
    # The second seed is on record, the third costs what the first did; the test split is answered by all three.
    assert task.final_seconds[worse[0]] == 2 * (8 + 0.5 + 1) + 3 * 1
    assert task.final_seconds[task.grid_pick(0)] == (9 + 0.5 + 1) + (8 + 0.5 + 1) + 3 * 1


def test_a_search_without_a_whole_fit_answers_as_the_majority():
    (rival,) = (one for one in rivals() if one.name == "H-score")
    task = replay_task(synthetic_grid("a", "probe-suffices", 1, SMALL))
    found = replayed(rival, task, [task], draws=1)
    # The encodings that the score reads cost more than a hundredth of this grid.
    assert found.rows[SHARES.index(0.01), 0] == task.fallback
    assert found.rows[SHARES.index(0.4), 0] != task.fallback
    assert found.seconds[0, 0] == pytest.approx(0.01 * task.grid_seconds)


def test_every_policy_is_replayed_within_its_budget_and_the_same_again():
    task = replay_task(synthetic_grid("a", "fine-tuning-wins", 3, SMALL))
    other = replay_task(synthetic_grid("b", "small-is-best", 2, SMALL))
    for rival in rivals():
        first, again = (replayed(rival, task, [task, other], draws=1) for _ in range(2))
        assert (first.rows == again.rows).all(), rival.name
        assert (first.seconds[:, 0] <= np.array(SHARES) * task.grid_seconds * (1 + 1e-9)).all(), rival.name
        assert task.test[first.rows[-1, 0]].mean() > task.test[task.fallback].mean(), rival.name


def test_mcnemar_and_the_bootstrap_against_known_values():
    first, second = np.array([1] * 8 + [0] * 2, bool), np.array([0] * 8 + [1] * 2, bool)
    assert mcnemar(first, second) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert mcnemar(first, first) == 1
    assert upper_bound(np.array([0.5, 0.5])) == 0.5
    assert upper_bound(np.array([0.0, 1.0])) == 1.0


def test_the_command_writes_report_numbers_and_curves(tmp_path, capsys):
    for seed, kind in enumerate(("probe-suffices", "fine-tuning-wins")):
        write_grid(synthetic_grid(f"{kind}", kind, 4 * seed, SMALL), tmp_path / "grid")
    options = [
        "--grid",
        str(tmp_path / "grid"),
        "--out",
        str(tmp_path),
        "--draws",
        "1",
        "--policies",
        "random,two arms",
    ]
    assert command.main(options) == 0
    page = (tmp_path / "grid.md").read_text()
    assert capsys.readouterr().out == page + "\n"
    assert "| **race** |" in page
    assert "## Text" in page
    numbers = json.loads((tmp_path / "grid.json").read_text())
    assert set(numbers["regret_to_pick"]) == {"race", "random", "two arms"}
    assert (tmp_path / "grid.svg").read_text().count("two arms") == 4


def test_a_mistake_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("TLBENCH_DATA", raising=False)
    assert command.main(["--grid", str(tmp_path)]) == 2
    assert command.main(["--fits", "shift"]) == 2
    assert command.main(["--fits", "synthetic", "--policies", "rase"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert ["no grid is here" in lines[0], "TLBENCH_DATA" in lines[1], "there are race" in lines[2]] == [True] * 3


def test_shift_s_records_are_tasks_of_their_images_labels_and_settings(tmp_path):
    file = tmp_path / "ftrecords.csv"
    heads = "model_identifier,train_dataset_name,epochs,configs,train_slice,val_slice,test_split,val_accuracy,"
    plain, count = "{'lr': 0.01}", "\"{'lr': 0.01, 'preprocess': 'clevr_count'}\""
    rows = [
        f"a,dtd,25,{plain},:800,800:1000,test,0.5,0.4,10",
        f"a,dtd,25,{plain},:800,800:1000,test,0.6,0.5,12",
        f"b,dtd,25,{plain},:800,800:1000,test,0.7,0.3,20",
        "b,dtd,25,{'lr': 0.1},:800,800:1000,test,0.9,0.9,20",
        f"b,dtd,1,{plain},:800,800:1000,test,0.9,0.9,20",
        f"a,clevr,25,{count},:800,800:1000,validation,0.5,0.4,10",
        f"a,clevr,25,{count},:800,800:1000,test,0.5,0.0,10",
        f"a,glue/sst2,25,{plain},:800,800:1000,test,0.5,0.5,10",
    ]
    file.write_text("\n".join([f"{heads}test_accuracy,elapsed_time", *rows]) + "\n")
    clevr, dtd = shift_tasks(file)
    assert (clevr.name, dtd.name) == ("clevr-count", "dtd")
    assert dtd.scoring[:, 0].tolist() == [0.5, 0.3]
    assert dtd.grid_seconds == 32
    assert dtd.grid_pick(0) == 1
    assert clevr.scoring[:, 0].tolist() == [0.4]
