"""Conformance checks for observers: plugins that send fits and records to a tracker."""

from __future__ import annotations

from types import ModuleType
from typing import ClassVar, Literal, get_args

import msgspec

from tlbench.catalog.loading.load_watch import HEAVY
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.executor import Fit, FitOrder
from tlbench.contracts.record import FitResult, Point, Record, Seconds, Status, TestScore
from tlbench.contracts.space import Value
from tlbench.testing.conformance.every_plugin import heavy_imports

CELL = Cell(Ref("tone"), Ref("linear-probe"), Protocol(seeds=(0, 1), trials=2), Ref("tiny"))
CURVE = (Point(1, 0.5), Point(2, None, 1.25), Point(3, 0.75))


class ObserverConformance:
    """Checks that a plugin with `tlbench_fitted` or `tlbench_recorded` takes every outcome.

    Guarantees: importing the plugin loads no heavy library; each hook accepts successes and failures of every status,
    with and without scores, params and learning curves, and returns nothing.

        class TestMyTracker(ObserverConformance):
            plugin = my_package.plugin
            imports = ("my_tracker",)

    Set up the tracker in a fixture with `autouse=True`, offline or replaced by a fake module.
    """

    plugin: ClassVar[ModuleType]
    imports: ClassVar[tuple[str, ...]] = ()
    """Modules of the tracker, which only the calls of the hooks may import."""

    def test_import_is_light(self) -> None:
        """Importing the plugin imports neither the tracker nor heavy libraries such as torch."""
        loaded = heavy_imports(self.plugin.__name__, (*HEAVY, *self.imports))
        assert not loaded, f"importing {self.plugin.__name__} loads {', '.join(loaded)}: import them inside functions"

    def test_takes_every_fit(self) -> None:
        """`tlbench_fitted` accepts trials and final fits of every status."""
        for order, result in example_fits():
            if hasattr(self.plugin, "tlbench_fitted"):
                assert self.plugin.tlbench_fitted(order=order, result=result) is None

    def test_takes_every_record(self) -> None:
        """`tlbench_recorded` accepts records of every status, also of a cell of which no fit was seen."""
        for record in example_records():
            if hasattr(self.plugin, "tlbench_recorded"):
                assert self.plugin.tlbench_recorded(cell=record.cell, record=record) is None

    def test_observes_something(self) -> None:
        """The plugin has one of the two hooks."""
        assert hasattr(self.plugin, "tlbench_fitted") or hasattr(self.plugin, "tlbench_recorded")


def example_fits() -> list[tuple[FitOrder, FitResult]]:
    """Returns a trial of each status and a final fit, with their orders."""
    search = FitOrder(CELL, "search", (Fit(0, 0, {}),))
    params: dict[str, Value] = {"lr": 0.01, "kind": "adam", "bias": True, "steps": 8}
    statuses: tuple[Literal["ok", "pruned", "diverged", "oom", "failed"], ...] = (
        "ok", "pruned", "diverged", "oom", "failed",
    )  # fmt: skip
    ended = [
        FitResult(params, 0, "search", trial, status, "" if status == "ok" else f"it was {status}",
                  validation=0.75 if status == "ok" else None, history=CURVE)
        for trial, status in enumerate(statuses)
    ]  # fmt: skip
    final = FitResult({}, 1, "final", 0, "ok", fit_seconds=0.5)
    return [*((search, result) for result in ended), (msgspec.structs.replace(search, purpose="final"), final)]


def example_records() -> list[Record]:
    """Returns a record of each status."""
    scores = tuple(TestScore("accuracy", seed, 0.5 + seed / 4, 0.4, 0.9, 32) for seed in (0, 1))
    ok = Record(
        CELL, "ok", metrics=("accuracy",), scores=scores, best_params={"lr": 0.01}, validation=0.75,
        seconds=Seconds(fit=0.5, total=2.0),
    )  # fmt: skip
    failed = [Record(CELL, status, reason=f"it was {status}") for status in get_args(Status) if status != "ok"]
    return [ok, *failed]
