"""A cell's folder: time spent by earlier processes, finished records, memory."""

from __future__ import annotations

from pathlib import Path

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.executor import OrderResult
from tlbench.contracts.record import FitResult, Memory, Record
from tlbench.running.cells.attempt import Attempt, OrderDefaults
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.memory.cell_memory import peak_memory
from tlbench.running.open_cell import open_cell


def test_the_time_of_earlier_processes_is_stored_twice_a_second_and_in_the_end(tmp_path):
    folder = CellFolder(tmp_path / "cell")
    assert folder.seconds_spent() == 0
    stored = []
    for seconds in (0.3, 0.6, 0.9, 1.2):
        folder.note_seconds(seconds)
        stored.append(CellFolder(folder.root).seconds_spent())
    assert stored == [0.0, 0.6, 0.6, 1.2]
    folder.note_seconds(1.3)
    folder.save_seconds()
    assert CellFolder(folder.root).seconds_spent() == 1.3


def test_a_cell_that_is_left_unfinished_stores_its_time(runs):
    (planned,) = runs.plan(["toy-tune"], trials=3).cells
    attempt = Attempt(planned, str(runs.store.work(planned.id, 1).resolve()))
    run = open_cell(attempt, runs.catalog, OrderDefaults())
    order = run.next_order()
    run.start_clock(order)
    result = FitResult(params=order.fits[0].params, seed=0, status="ok", trial=0, purpose="search", validation=0.5)
    run.tell(order, OrderResult(results=(result,)))
    run.close()
    assert CellFolder(Path(attempt.folder)).seconds_spent() > 0


def test_a_resumed_cell_says_how_long_it_took_altogether(runs, monkeypatch):
    monkeypatch.setattr(CellFolder, "seconds_spent", lambda self: 3600.0)
    record = runs.one("toy-fit", trials=2)
    assert record.seconds.total > 3600


def test_a_record_of_another_cell_in_the_folder_is_not_this_one_s(tmp_path):
    folder, cell = CellFolder(tmp_path / "cell"), Cell(Ref("task"), Ref("strategy"), Protocol())
    folder.save_record(Record(cell, "ok", attempt=2))
    assert folder.record(cell.id, 2).cell == cell
    assert folder.record(cell.id, 1) is None
    assert folder.record("0123456789abcdef", 2) is None
    (folder.root / "record.json").write_text("{}")
    assert folder.record(cell.id, 2) is None


def test_what_a_cell_added_to_memory_is_one_process_s_own():
    one, other = Memory(100, 150, 7, 8), Memory(9000, 9020, 5, 9)
    assert peak_memory([one, other]) == Memory(100, 150, 7, 9)
    assert peak_memory([one, Memory(9000, 9100)]) == Memory(9000, 9100, 7, 8)
    assert peak_memory([Memory(), one]) == Memory(100, 150, 7, 8)
    assert peak_memory([Memory(), Memory(100, 100)]) == Memory(100, 100), "measured, and nothing added"
    assert peak_memory([Memory(100, 150, host_own_bytes=7), Memory(100, 300)]) == Memory(100, 300, host_own_bytes=7)
    assert peak_memory([Memory(), Memory(100, 90)]) == Memory(100, 90)
