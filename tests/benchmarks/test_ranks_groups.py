"""`benchmarks/ranks/groups`: standard errors of recorded cells, and simulated tables with few groups."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.ranks.groups import Setting, errors, simulated
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import Record
from tlbench.results.records.store import Store


def test_copies_of_an_example_in_a_group_say_no_more_than_one(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    columns = {
        "seed": [0] * 400,
        "id": [str(i) for i in range(400)],
        "target": [1] * 400,
        "value": [int(i // 4 % 5 > 0) for i in range(400)],
        "group": [str(i // 4) for i in range(400)],
    }
    for name, left_out in (("grouped", "scores"), ("alone", "group")):
        kept = {column: values for column, values in columns.items() if column != left_out}
        pq.write_table(pa.table(kept), tmp_path / f"{name}.parquet")
        cell = Cell(Ref("task"), Ref(name), Protocol())
        store.commit(Record(cell, "ok", metrics=("accuracy",), predictions=f"{name}.parquet"), tmp_path)
    assert list(errors(tmp_path)) == ["task  -  grouped  accuracy  100 groups  2.0  4.0  2.01"]


@pytest.mark.parametrize("strategies", [2, 4])
def test_equal_strategies_with_few_groups_seldom_differ(strategies: int) -> None:
    rate, coverage = simulated(Setting(9, strategies, 3, 1.0, (0.3, 0.2, 0.2, 0.3)), 60)
    # The upper ends of the exact 99.9% intervals of 5% and 95% in 60 draws.
    assert rate <= 0.17
    assert coverage >= 0.83
