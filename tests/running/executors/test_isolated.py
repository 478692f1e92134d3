"""The isolated executor: workers that die or hang, capacity, imports of backbones."""

import pytest

from tlbench import Card
from tlbench.contracts.errors import UsageError
from tlbench.running.executors.isolated import START_METHOD
from tlbench.running.forking import start_method
from tlbench.testing.process_faults import CRASHED, MET


def test_isolated_gives_what_inline_gives(runs, essence):
    strategies = ["toy-fit", "toy-tune", "toy-majority"]
    inline = runs.run(strategies, trials=3, seeds=2)
    isolated = runs.run(strategies, trials=3, seeds=2, executor="isolated", jobs=2, fresh="all")
    assert [essence(record) for record in isolated] == [essence(record) for record in inline]
    assert [record.attempt for record in isolated] == [2, 2, 2]


@pytest.fixture
def met(tmp_path, monkeypatch):
    path = tmp_path / "met"
    monkeypatch.setenv(MET, str(path))
    return path


def test_idle_workers_take_fits_of_a_cell_that_is_not_theirs(runs, essence, met):
    shared = runs.one("toy-meeting[processes=2]", trials=4, seeds=3, executor="isolated", jobs=2)
    assert shared.status == "ok"
    assert len(set(met.read_text().split())) == 2
    assert len(met.read_text().split()) == 4 + 2  # the winner's own fit counts as the first seed's
    assert shared.memory.host_peak_bytes > shared.memory.host_baseline_bytes
    alone = runs.one("toy-meeting[processes=2]", trials=4, seeds=3, fresh="all")
    assert essence(alone) == essence(shared)


def test_a_helper_that_dies_costs_the_fit_it_was_at_and_nothing_else(runs, tmp_path, monkeypatch):
    monkeypatch.setenv(CRASHED, str(tmp_path / "crashes"))
    shared = runs.one("toy-exiting[times=2]", trials=6, seeds=2, executor="isolated", jobs=2)
    assert shared.status == "ok"
    assert [trial.status for trial in shared.trials] == ["ok"] * 6
    assert len((tmp_path / "crashes").read_text().split()) == 2


def test_a_pruned_search_uses_every_worker(runs, met):
    record = runs.one("toy-meeting[processes=2]", trials=4, pruner="median", executor="isolated", jobs=2)
    assert [trial.status for trial in record.trials] == ["ok"] * 4
    assert len(set(met.read_text().split())) == 2


def test_more_workers_are_useful_where_there_are_more_fits(runs):
    from tlbench.running.run import useful_workers

    def count(strategy, **protocol):
        return useful_workers(runs.plan([strategy], **protocol).cells, runs.catalog)

    assert count("toy-fit", trials=1, seeds=1) == 1
    assert count("toy-fit", trials=1, seeds=3) == 3
    assert count("toy-fit", trials=5, seeds=1) == 5
    assert count("toy-fit", trials=50, seeds=1) == 8, "the lag of a search by a model"
    assert count("toy-fit", trials=50, seeds=1, sampler="random") == 50
    assert count("toy-fit", trials=5, seeds=3, tasks=("toy-tone", "toy-count")) == 10
    assert count("toy-majority", trials=1, seeds=3) == 1


def test_an_executor_shares_the_cores_of_its_machine(monkeypatch):
    from tlbench.contracts.executor import ExecutorRequest
    from tlbench.running.executors import local_capacity as local
    from tlbench.system import machine

    for module in (machine, local):
        monkeypatch.setattr(module, "cores", lambda: 8)
    monkeypatch.setattr(machine, "memory_bytes", lambda: None)

    def offers(own, **asked):
        found = local.local_capacity(ExecutorRequest(device="cpu", **asked), own)
        return found.workers, found.cores

    assert offers(None, useful=100) == (8, 1)
    assert offers(None, useful=2) == (2, 4)
    assert offers(None, useful=100, workers=4) == (4, 2)
    assert offers(100) == (100, 1), "an executor's own number is nobody else's to change"
    assert offers(1) == (1, 8)
    assert offers(1, workers=4) == (1, 2), "as one of four computes, so does one alone"


def test_no_more_workers_are_useful_than_find_memory(runs, monkeypatch):
    from tlbench.planning.capacity import WORKER_BYTES, Room
    from tlbench.running.run import useful_workers
    from tlbench.testing.toys import ToyBackbone

    monkeypatch.setattr(ToyBackbone, "card", lambda self: Card(parameters=WORKER_BYTES // 4))
    cells = runs.plan(["toy-fit"], trials=8).cells
    needed = 6 * WORKER_BYTES  # itself, weights, their gradients and two moments, a pristine copy
    for room, count in ((None, 8), (Room(2 * needed), 2), (Room(needed), 1), (Room(9 * needed), 8)):
        assert useful_workers(cells, runs.catalog, room) == count


def test_a_crash_takes_no_other_cell_with_it(runs, tmp_path, monkeypatch):
    monkeypatch.setenv(CRASHED, str(tmp_path / "crashes"))
    records = runs.run(["toy-exiting", "toy-fit", "toy-slow"], executor="isolated", jobs=2)
    assert [record.status for record in records] == ["crashed", "ok", "ok"]
    assert "exited with status 139 before it answered 3 times" in records[0].reason
    assert len((tmp_path / "crashes").read_text().split()) == 3


def test_a_cell_whose_worker_died_is_tried_again(runs, tmp_path, monkeypatch):
    monkeypatch.setenv(CRASHED, str(tmp_path / "crashes"))
    assert runs.one("toy-exiting[times=2]", executor="isolated").status == "ok"
    assert len((tmp_path / "crashes").read_text().split()) == 2


def test_a_hang_is_stopped(runs):
    record = runs.one("toy-slow[rounds=1000000000]", executor="isolated", max_seconds=2.0)
    assert record.status == "timeout"


@pytest.mark.parametrize(("limit", "spent", "status"), [(60, 30, "ok"), (60, 80, "timeout")])
def test_a_cell_that_is_taken_up_again_has_what_is_left_of_its_time(runs, monkeypatch, limit, spent, status):
    from tlbench.running.cells.cell_folder import CellFolder

    monkeypatch.setattr(CellFolder, "seconds_spent", lambda self: spent)
    assert runs.one("toy-majority", max_seconds=limit).status == status


def test_what_a_library_prints_reaches_no_screen(runs, capfd):
    runs.one("toy-fit", executor="isolated")
    assert capfd.readouterr() == ("", "")


def test_workers_that_cannot_start_end_the_run_with_one_line(runs, monkeypatch):
    from tlbench.running.executors import slot_processes

    opened = slot_processes.open_workers

    def without_a_target(start):
        return opened(slot_processes.Start(start.target, start.log, environment={"PYTHONHOME": "/nowhere"}))

    monkeypatch.setattr(slot_processes, "open_workers", without_a_target)
    with pytest.raises(UsageError, match=r"^the workers could not start: ") as raised:
        runs.one("toy-fit", executor="isolated")
    assert "\n" not in str(raised.value)
    assert list(runs.store.records()) == []


def test_python_files_of_the_working_directory_are_not_executed(runs, tmp_path, monkeypatch):
    for name in ("types", "pickle", "random", "torch", "numpy", "tlbench"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('executed')")
    monkeypatch.chdir(tmp_path)
    assert runs.one("toy-fit", executor="isolated").status == "ok"


def test_what_a_fit_leaves_behind_reaches_no_other_and_its_children_are_gone(runs, essence, met):
    import psutil

    alone = runs.one("toy-tune", trials=2)
    records = runs.run(["toy-littering", "toy-tune"], trials=2, executor="isolated", jobs=1, fresh="all")
    assert [record.status for record in records] == ["ok", "ok"]
    assert essence(records[1]) == essence(alone)
    children = [int(pid) for pid in met.read_text().split()]
    assert children
    assert not any(psutil.pid_exists(pid) for pid in children)


def test_a_plugin_that_interrupts_ends_its_own_cell(runs):
    interrupting = [f"toy-interrupting[how={how}]" for how in ("interrupt", "generator", "exit")]
    records = runs.run([*interrupting, "toy-fit"], executor="isolated")
    assert [record.status for record in records] == ["failed", "failed", "failed", "ok"]


def test_an_import_that_ends_its_process_ends_no_run(runs, tmp_path, monkeypatch):
    from tlbench.testing.toys import ToyBackbone

    (tmp_path / "ends.py").write_text("import os; os._exit(3)")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(ToyBackbone, "imports", ("ends",))
    assert [record.status for record in runs.run(["toy-fit", "toy-tune"], executor="isolated")] == ["ok", "ok"]


def test_imports_that_are_no_tuple_of_names_fail_their_cell(runs, monkeypatch):
    from tlbench.testing.toys import ToyBackbone

    monkeypatch.setattr(ToyBackbone, "imports", "timm")
    record = runs.one("toy-fit", executor="isolated")
    assert record.status == "failed"
    assert "imports is 'timm', not a tuple of names" in record.reason


def test_spawned_workers_give_what_forked_ones_give(runs, essence, monkeypatch):
    forked = runs.run(["toy-fit"], trials=2, seeds=2, executor="isolated", jobs=1)
    monkeypatch.setenv(START_METHOD, "spawn")
    spawned = runs.run(["toy-fit"], trials=2, seeds=2, executor="isolated", jobs=1, fresh="all")
    assert [essence(record) for record in spawned] == [essence(record) for record in forked]
    monkeypatch.setenv(START_METHOD, "thread")
    with pytest.raises(UsageError, match="TLBENCH_START_METHOD: thread"):
        runs.run(["toy-fit"], trials=2, seeds=2, executor="isolated", jobs=1, fresh="all")


@pytest.mark.parametrize(("wanted", "platform", "method"), [("", "linux", "fork"), ("", "darwin", "spawn")])
def test_workers_start_as_the_system_allows(wanted, platform, method):
    assert start_method(wanted, platform) == method
    with pytest.raises(ValueError, match="use spawn"):
        start_method("fork", "darwin")
