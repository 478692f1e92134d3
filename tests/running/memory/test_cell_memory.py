"""The memory of a record is the cell's own, whatever ran before it and beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.executor import FitOrder
from tlbench.contracts.record import Memory
from tlbench.running.memory.cell_memory import CellMemory
from tlbench.system.measure import ResourceUsage
from tlbench.system.process_memory import read_memory

MB = 1_000_000
PLANTED = 300


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a peak")
def test_a_planted_allocation_is_in_the_record_alone_and_after_other_cells(runs):
    names = [f"toy-holding[megabytes={size}]" for size in (0, 600, PLANTED)]
    without, larger, planted = runs.run(names, seeds=2, executor="isolated")
    assert {record.status for record in (without, larger, planted)} == {"ok"}
    added = planted.memory.host_own_bytes - without.memory.host_own_bytes
    assert added == pytest.approx(PLANTED * MB, rel=0.05)
    assert without.memory.host_own_bytes < 50 * MB, "imports of the server do not count"
    alone = runs.one(names[-1], seeds=2, executor="isolated", jobs=2, fresh="all")
    assert alone.memory.host_own_bytes == pytest.approx(planted.memory.host_own_bytes, rel=0.05)


def order(strategy: str = "s", purpose: str = "search", device: str = "cpu") -> FitOrder:
    cell = Cell(Ref("t"), Ref(strategy), Protocol(), Ref("b"))
    return FitOrder(cell, purpose, device=device)  # type: ignore[arg-type]


def measured(memory: CellMemory, given: FitOrder, kept: int = 0) -> int | None:
    start = memory._start
    usage = ResourceUsage(Memory(1, 2), start.own + 100 if start else None)
    return memory.of_order(given, usage, kept).host_own_bytes


@pytest.mark.skipif(read_memory() is None, reason="memory cannot be read here")
def test_only_fits_of_the_one_cell_that_a_worker_serves_on_a_cpu_are_counted():
    memory = CellMemory(isolated=True)
    assert measured(memory, order()) == 100
    assert measured(memory, order(), kept=30) == 70, "another trial's predictor is not part of this one"
    assert measured(memory, order(purpose="score")) is None
    assert measured(memory, order("other")) is None, "what the first cell left cannot be told from it"
    assert measured(memory, order()) is None
    assert measured(CellMemory(isolated=True), order(device="cuda")) is None
    assert measured(CellMemory(isolated=False), order()) is None
