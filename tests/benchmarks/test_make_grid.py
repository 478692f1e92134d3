"""The making of the grid, on the toys: fits at rungs, kills, and the files at the end."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.find.grid_files import read_grid
from benchmarks.find.making.candidates import Choices, candidates_of, cell_of, grid_catalog, settings_of_space
from benchmarks.find.making.grid_data import FrozenSplits, GridData
from benchmarks.find.making.grid_run import GridRun, GridSettings
from benchmarks.find.making.grid_worker import GridWorker, layer_mean
from benchmarks.find.making.progress_lines import ProgressLines
from benchmarks.find.making.rung_capture import RungCapture
from tlbench import Choice, DataError, Float, Int, Protocol, UsageError
from tlbench.catalog.catalog import Catalog
from tlbench.contracts.executor import Fit
from tlbench.running.fitting.context import CellContext
from tlbench.running.fitting.fit import run_fits

TOY = GridData("toy", "toy-tone[train=60,validation=20,test=20]", train=30, pool=20, test=20)
CHOICES = Choices({"text": ("toy",)}, ("linear-probe", "full-finetune"), {"text": ("toy-majority",)})
STEPS = 8
ROWS = {"train": 30, "validation": 20, "test": 20}


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    monkeypatch.setenv("TLBENCH_CACHE_LIMIT", "0")


@pytest.fixture
def settings(tmp_path):
    return GridSettings([TOY], tmp_path / "raw", tmp_path / "grid", STEPS, CHOICES)


def made(settings, write=lambda line: None):
    run = GridRun(settings)
    run.make(ProgressLines(run.count, run.bill(), write))
    return run


class Killed(BaseException):
    """Stands for a kill."""


def killed_after(count):
    left = count

    def write(line):
        nonlocal left
        left -= 1
        if not left:
            raise Killed

    return write


def test_the_grid_is_made_once_and_goes_on_after_kills(settings, tmp_path):
    lines = []
    made(settings, lines.append)
    whole = read_grid(settings.out, "toy")
    task = whole.task
    assert [(one.backbone, one.strategy, one.role) for one in task.candidates] == [
        ("", "toy-majority", "baseline"),
        ("toy", "linear-probe", "probe"),
        ("toy", "full-finetune", "adaptation"),
    ]
    assert (task.train_rows, task.validation_rows, task.test_rows, task.classes) == (30, 20, 20, 2)
    # one setting of the baseline and three of each other candidate, and two more seeds of each one's best
    assert len(task.fits) == (1 + 2) + 2 * (3 + 2)
    assert lines[-2].startswith("13 of 13, about ")
    for number, one in enumerate(task.candidates):
        accuracy = [
            whole.validation[whole.index[number, setting, 0], -1].mean() for setting in range(len(one.settings))
        ]
        seeds = {fit.setting for fit in task.fits if fit.candidate == number and fit.seed > 0}
        assert seeds == {int(np.argmax(accuracy))}
    (backbone,) = task.backbones
    assert backbone.feature_scores.keys() == {"knn", "h-score", "logme"}
    assert backbone.parameters == task.candidates[1].parameters > 0

    again = replace(settings, raw=tmp_path / "raw2", out=tmp_path / "grid2")
    for count in (1, 6):
        with pytest.raises(Killed):
            made(again, killed_after(count))
    bill = GridRun(again).bill()
    assert 0 < bill.fits < len(task.fits)
    assert f"{bill.fits} fits are left" in str(bill)
    made(again)
    second = read_grid(again.out, "toy")
    assert np.array_equal(second.validation, whole.validation)
    assert np.array_equal(second.test, whole.test)
    assert [one.name for one in second.task.encodings] == [one.name for one in task.encodings]

    before = {path: path.stat().st_mtime_ns for path in settings.raw.rglob("*.json") if path.name != "definition.json"}
    shutil.rmtree(settings.out)
    made(settings)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    with pytest.raises(UsageError, match="9 steps: choose another folder by --raw"):
        GridRun(replace(settings, steps=9))


def test_a_rung_is_what_a_fit_has_that_stops_there():
    catalog = grid_catalog([TOY])
    (found,) = [one for one in candidates(catalog) if one.strategy == "full-finetune"]
    cell = cell_of(catalog, TOY, found, Protocol(max_steps=STEPS, precision="fp32"))
    worker = GridWorker(catalog)
    params = found.settings[0]
    plain, captured = context_of(cell, worker), context_of(cell, worker)
    capture = watched(captured)
    (alone,), (whole,) = run_fits([Fit(0, 0, params)], plain), run_fits([Fit(0, 0, params)], captured)
    assert np.array_equal(alone.answers.values, whole.answers.values)
    rungs = dict(capture.rungs)
    assert sorted(rungs) == [2, 8]
    assert 0 < rungs[8].seconds < rungs[2].seconds < whole.result.fit_seconds
    for part, steps in ((8, 1), (2, 4)):
        stopping = context_of(cell, worker)
        prefix = watched(stopping)
        (stopped,) = run_fits([Fit(0, 0, params, stop_part=part)], stopping)
        assert stopped.result.reason == f"stopped after {steps} of {STEPS} steps"
        assert min(prefix.rungs) == part
        assert np.array_equal(prefix.rungs[part].answers, rungs[part].answers)


def test_a_fit_that_diverges_keeps_its_first_rungs():
    catalog = grid_catalog([TOY])
    (found,) = [one for one in candidates(catalog) if one.strategy == "full-finetune"]
    cell = cell_of(catalog, TOY, found, Protocol(max_steps=STEPS, precision="fp32"))
    piece = GridWorker(catalog).fit(cell, {"lr": 1e38}, 0)
    assert piece.status == "diverged"
    assert not piece.answered[-1]
    assert not any(piece.test)
    assert sorted(piece.answered, reverse=True) == list(piece.answered)


def candidates(catalog):
    return candidates_of(catalog, TOY, Protocol(max_steps=STEPS, precision="fp32"), CHOICES)


def context_of(cell, worker):
    return CellContext(cell, worker._session, "fp32")


def watched(context):
    capture = RungCapture(context.strategy.item)
    context.strategy = replace(context.strategy, item=capture)
    return capture


@pytest.mark.parametrize("redrawn", [False, True])
def test_splits_are_drawn_once_and_share_no_input(redrawn):
    data = replace(TOY, redrawn=redrawn)
    task = FrozenSplits(data, data.installed(Catalog.discover()))
    splits = {name: task.split(name) for name in ("train", "validation", "test")}
    assert {name: len(rows) for name, rows in splits.items()} == ROWS
    assert len({row.inputs for rows in splits.values() for row in rows}) == sum(ROWS.values())
    again = FrozenSplits(data, data.installed(Catalog.discover()))
    assert all(again.split(name).fingerprint == rows.fingerprint for name, rows in splits.items())


def test_too_few_rows_are_an_error():
    data = replace(TOY, pool=100)
    with pytest.raises(DataError, match="80 rows are too few for 30 and 100"):
        FrozenSplits(data, data.installed(Catalog.discover())).split("train")


@pytest.mark.parametrize(
    ("space", "defaults", "values"),
    [
        ({"lr": Float(1e-4, 1e-1, log=True)}, {"lr": 1e-2}, [1e-2, 1e-3, 1e-1]),
        ({"lr": Float(1e-4, 1e-1, log=True)}, {"lr": 1e-1}, [1e-1, 1e-2, 1e-3]),
        ({"lr": Float(0.0, 3.0)}, {"lr": 0.0}, [0.0, 2.0, 1.0]),
        ({"lr": Int(1, 64, log=True)}, {}, [8, 2, 32]),
        ({"rank": Choice((4, 8)), "lr": Float(1e-3, 1.0, log=True)}, {"lr": 0.1}, [0.1, 0.01, 1.0]),
        ({"lr": Choice((1, 2))}, {"lr": 1}, [1]),
    ],
)
def test_settings_are_the_default_and_a_third_of_the_range_beside_it(space, defaults, values):
    assert [one["lr"] for one in settings_of_space(space, defaults)] == values


def test_the_layer_mean_leaves_out_the_embeddings_and_other_widths():
    features = np.arange(14.0).reshape(2, 7)
    assert layer_mean(features, [2, 1, 2, 2]).tolist() == [[4.0, 5.0], [11.0, 12.0]]
    assert layer_mean(features, [7]).tolist() == features.tolist()
