"""The order in which several workers open cells."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import pytest

from tlbench import Backbone, Card, Strategy, Trainable, hookimpl
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Plugin
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.running.cells.attempt import Attempt
from tlbench.running.longest_first import longest_first


@dataclass(frozen=True)
class Sized(Backbone):
    name: str
    parameters: int | None
    modality = "text"

    def card(self):
        return Card(parameters=self.parameters, stages=3)


@dataclass(frozen=True)
class Broken(Sized):
    def card(self):
        raise OSError("no card")


@dataclass(frozen=True)
class Top(Strategy):
    name: ClassVar[str] = "top"

    def trainable(self, backbone):
        return Trainable(1)


@dataclass(frozen=True)
class Adapter(Strategy):
    name: ClassVar[str] = "adapter"

    def trainable(self, backbone):
        return Trainable(parameters=5)


class Whole(Strategy):
    name = "whole"


class Probe(Strategy):
    name = "probe"
    batch_size = 8


class Floor(Strategy):
    name = "floor"
    uses_backbone = False


@pytest.fixture
def catalog():
    backbones = [Sized("small", 10), Sized("large", 1000), Sized("unknown", None), Broken("broken", 1)]
    strategies = [Top(), Adapter(), Whole(), Probe(), Floor()]
    hooks = {"tlbench_backbones": hookimpl(lambda: backbones), "tlbench_strategies": hookimpl(lambda: strategies)}
    return Catalog.discover([Plugin("sizes", "1.0", "sizes", SimpleNamespace(**hooks))])


def attempts(*named):
    found = []
    for name in named:
        backbone, _, strategy = name.rpartition(" ")
        found.append(
            Attempt(Cell(Ref("task"), Ref(strategy), Protocol(), Ref(backbone) if backbone else None), f"/{name}")
        )
    return found


def ordered(catalog, *named, workers=2):
    return [attempt.folder[1:] for attempt in longest_first(attempts(*named), catalog, workers)]


def test_what_trains_most_of_the_largest_goes_first_and_probes_of_the_smallest_last(catalog):
    names = ("small probe", "small whole", "large probe", "floor", "large top", "large whole", "small top")
    assert ordered(catalog, *names) == [
        "floor", "large whole", "large top", "large probe", "small whole", "small top", "small probe",
    ]  # fmt: skip


def test_an_adapter_takes_longer_than_the_top_stage_and_less_than_the_whole(catalog):
    names = ("large top", "large adapter", "large whole")
    assert ordered(catalog, *names) == ["large whole", "large adapter", "large top"]


def test_a_trial_of_several_folds_counts_as_several_fits(catalog):
    names = Ref("task"), Ref("top")
    plain, folded = Protocol(trials=4), Protocol(trials=2, folds=5, final="train+validation")
    cells = [Cell(*names, protocol, Ref("large")) for protocol in (plain, folded)]
    found = longest_first([Attempt(cell, f"/{i}") for i, cell in enumerate(cells)], catalog, 2)
    assert [attempt.folder for attempt in found] == ["/1", "/0"]


def test_one_worker_keeps_the_plan_s_order(catalog):
    assert ordered(catalog, "small probe", "large whole", workers=1) == ["small probe", "large whole"]


def test_cells_that_are_alike_keep_the_plan_s_order(catalog):
    found = attempts("large top", "small whole", "large top")
    assert [id(one) for one in longest_first(found, catalog, 2)] == [id(found[0]), id(found[2]), id(found[1])]


def test_of_what_nobody_knows_and_of_what_fails_the_worst_is_expected(catalog):
    names = ("large whole", "unknown probe", "broken top", "gone whole")
    assert ordered(catalog, *names)[-1] == "large whole"
    assert sorted(ordered(catalog, *names)) == sorted(names)
