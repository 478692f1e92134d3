"""A cell's folder: time spent by earlier processes, finished records, memory."""

from __future__ import annotations

import os

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import Memory, Record
from tlbench.running.cells import cell_folder
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.memory.cell_memory import peak_memory


def test_the_time_of_those_who_died_counts_until_the_last_thing_they_finished(tmp_path, monkeypatch):
    folder = CellFolder(tmp_path / "cell")
    assert folder.seconds_spent() == 0
    for began in (1000.0, 2000.0, 3000.0):
        monkeypatch.setattr(cell_folder, "now", lambda began=began: began)
        folder.record_start(Cell(Ref("task"), Ref("strategy"), Protocol()))
    for name, finished in (("trials-0", 1010), ("trials-1", 1400), ("winner", 3005), ("final-0", 3100)):
        (folder.root / f"{name}.json").write_bytes(b"{}")
        os.utime(folder.root / f"{name}.json", (finished, finished))
    assert folder.seconds_spent() == 400 + 0 + 100


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
