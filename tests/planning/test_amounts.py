"""Plans with several amounts of labelled data."""

from __future__ import annotations

import msgspec
import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.cli.arguments.protocol_options import patch
from tlbench.contracts.cell import Cell, Protocol
from tlbench.contracts.errors import UsageError
from tlbench.planning.plan import plan
from tlbench.planning.selection import Selection
from tlbench.planning.suite import Patch, Suite, SuiteBlock


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults")
    return Catalog.discover()


def _suite(suite: Patch = Patch(), block: Patch = Patch(), tasks: tuple[str, ...] = ("toy-tone",)) -> Suite:  # noqa: B008
    return Suite((SuiteBlock(tasks, ("toy-majority",), protocol=block),), protocol=suite)


def test_several_values_make_a_cell_each(catalog: Catalog) -> None:
    cells = plan(_suite(block=Patch(shots=(1, 8))), catalog).cells
    assert [cell.protocol.shots for cell in cells] == [1, 8]
    cells = plan(_suite(Patch(train_limit=9)), catalog, Selection(protocol=Patch(train_fraction=(0.1, 1.0)))).cells
    assert [cell.protocol.train_fraction for cell in cells] == [0.1, None]
    assert {cell.protocol.train_limit for cell in cells} == {None}, "one amount replaces another"


def test_a_later_value_replaces_several(catalog: Catalog) -> None:
    (cell,) = plan(_suite(Patch(shots=(1, 8, 64)), Patch(shots=4)), catalog).cells
    assert cell.protocol.shots == 4


def test_a_share_of_one_is_the_cell_without_a_share(catalog: Catalog) -> None:
    (cell,) = plan(_suite(Patch(train_fraction=1.0)), catalog).cells
    assert cell.id == plan(_suite(), catalog).cells[0].id


def test_tasks_without_classes_are_skipped_with_a_reason(catalog: Catalog) -> None:
    planned = plan(_suite(Patch(shots=2), tasks=("toy-tone", "toy-count")), catalog)
    assert [cell.task.name for cell in planned.cells] == ["toy-tone"]
    assert planned.skips[0].reason.endswith("use train_fraction or train_limit")


def test_amounts_are_of_the_fits_and_validation_matters_only_with_them(catalog: Catalog) -> None:
    (base,) = plan(_suite(), catalog).cells

    def under(**fields: object) -> Cell:
        return msgspec.structs.replace(base, protocol=msgspec.structs.replace(base.protocol, **fields))

    ids = {under(**fields).fits_id for fields in ({}, {"shots": 2}, {"shots": 3}, {"train_fraction": 0.5})}
    assert len(ids) == 4
    assert under(validation="whole").id == base.id
    assert under(shots=2, validation="whole").fits_id != under(shots=2).fits_id
    folded = {"shots": 2, "folds": 2, "final": "train+validation"}
    assert under(**folded).id == under(**folded, validation="limited").id


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shots": 2, "train_limit": 9}, "give one of"),
        ({"shots": 2, "final": "train+validation", "validation": "whole"}, "leave out validation=whole"),
    ],
)
def test_amounts_that_contradict_each_other_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Protocol(**fields)  # type: ignore[arg-type]
    assert Protocol(shots=2, final="train+validation").amount.limits_validation


def test_the_options_take_lists() -> None:
    assert patch(shots="1,8") == Patch(shots=(1, 8))
    assert patch(train_fraction="0.5") == Patch(train_fraction=0.5)


@pytest.mark.parametrize(
    "options",
    [{"shots": "0"}, {"shots": "8,8"}, {"shots": "1.5"}, {"train_fraction": "2"}, {"train_fraction": "nan"},
     {"train_fraction": "inf"}, {"shots": ""}, {"shots": "2", "train_limit": 8}],
)  # fmt: skip
def test_other_values_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"give (one of|a (share|number))"):
        patch(**options)  # type: ignore[arg-type]
