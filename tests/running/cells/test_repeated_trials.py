"""Settings that a search proposes twice are fitted once."""

import pytest

from tlbench import Float, Int
from tlbench.cli.app import _main
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.fits.task_info import TaskInfo
from tlbench.contracts.record import PAID, FitResult
from tlbench.metrics import METRICS
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.cells.cell_search import CellSearch
from tlbench.running.cells.hyperparameters import CellSettings


@pytest.mark.parametrize("strategy", ["six", "six-together"])
def test_each_setting_is_fitted_once_and_the_search_ends_with_the_space(counted, strategy):
    record = counted.one(strategy, trials=40)
    assert record.status == "ok"
    assert len(counted.made()) == 6 + (strategy == "six-together")  # a pass keeps no predictor for the final fit
    assert record.distinct_settings == 6 < len(record.trials) < 40
    assert record.ended_early
    own = [trial for trial in record.trials if trial.repeats is None]
    assert record.seconds.search == pytest.approx(sum(getattr(trial, field) for trial in own for field in PAID))
    assert [trial.trial for trial in own][:1] == [0]
    assert {trial.fit_seconds for trial in record.trials if trial.repeats is not None} == {0.0}


def test_a_longer_search_takes_over_each_setting_once(counted):
    counted.one("six", trials=4, sampler="random")
    counted.made()
    record = counted.one("six", trials=40, sampler="random")
    made = counted.made()
    assert len(made) + sum(trial.taken_over for trial in record.trials) == 6
    again = counted.one("six", trials=39, sampler="random")
    assert counted.made() == []
    assert [(t.trial, t.params, t.repeats) for t in again.trials] == [
        (t.trial, t.params, t.repeats) for t in record.trials
    ]


def passes(runs, folder, space, at_once=1, reused=()):
    """Returns the trials of each pass of up to eight fits (the lag), with this many passes in flight at a time."""

    class Others:
        """The fits of other cells: those of some trials."""

        def trial(self, fit):
            if fit.trial not in reused:
                return None
            return FitResult(fit.params, 0, "search", fit.trial, "ok", validation=0.5, taken_over=True)

    cell = Cell(Ref("toy-tone"), Ref("toy-fit"), Protocol(trials=23), Ref("toy"))
    info = TaskInfo("toy-tone", runs.catalog.task("toy-tone").item.output, ("accuracy",))
    settings = CellSettings(info, METRICS["accuracy"], space, {}, batch_size=8)
    search = CellSearch(cell, settings, CellFolder(folder), Others())
    found, in_work = [], []
    while not search.is_complete:
        while len(in_work) < at_once and (fits := search.ask()):
            in_work.append(fits)
            found.append([fit.trial for fit in fits])
        if not in_work:
            assert search.is_complete, "the search waits for a batch that it does not order"
            break
        done = in_work.pop()
        search.tell([FitResult(f.params, 0, "search", f.trial, "ok", validation=0.1 * f.trial) for f in done])
    return sorted(found), [(one.trial, one.params, one.repeats) for one in search.trials]


@pytest.mark.parametrize("reused", [{1}, {0, 3, 4}, set(range(5, 12))])
def test_a_batch_is_ordered_though_some_of_its_trials_are_reused(runs, tmp_path, reused):
    found, trials = passes(runs, tmp_path, {"lr": Float(0, 1)}, reused=reused)
    assert [trial for trial, _, _ in trials] == list(range(23))
    assert sorted(trial for one in found for trial in one) == sorted(set(range(23)) - reused)


def test_passes_without_repeated_trials_are_the_same_on_any_number_of_workers(runs, tmp_path):
    space = {"lr": Int(1, 40)}
    alone = passes(runs, tmp_path / "one", space)
    fitted = [trial for trial, _, repeats in alone[1] if repeats is None]
    assert 8 < len(fitted) < 23 == len(alone[1])
    assert sorted(trial for one in alone[0] for trial in one) == fitted
    assert alone == passes(runs, tmp_path / "two", space, 2) == passes(runs, tmp_path / "three", space, 3)


@pytest.mark.parametrize("trials", [40, 4])
def test_a_run_and_show_say_how_many_settings_differ(counted, capsys, trials):
    names = ["-t", "toy-tone", "-b", "toy", "-S", "six", "--no-baseline", "--trials", str(trials)]
    names += ["--sampler", "random"]
    assert _main(["run", *names, "--device", "cpu", "--executor", "inline", "--out", str(counted.folder)]) == 0
    record = next(iter(counted.store.records(print)))
    end = ", which are all settings of the space" if trials == 40 else ""
    text = f"{len(record.trials)} trials, {record.distinct_settings} distinct{end}"
    assert text in capsys.readouterr().err
    assert _main(["show", record.cell.id, "--out", str(counted.folder)]) == 0
    assert text in " ".join(capsys.readouterr().out.split())
