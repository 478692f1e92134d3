"""What every executor must keep to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.executor import (
    Executor,
    ExecutorPlugin,
    ExecutorRequest,
    Fit,
    FitOrder,
    Handle,
    OrderResult,
    WorkerLost,
)
from tlbench.contracts.space import Value
from tlbench.testing.conformance.imports import check_light, check_name

PLUGINS = {"TLBENCH_PLUGINS": "tlbench.testing.toy_plugin,tlbench.testing.faults"}
PARAMS: dict[str, Value] = {"lr": 0.01, "steps": 4}
PATIENCE_SECONDS = 240.0
"""After which an order that did not end is a fault of the executor."""


class ExecutorConformance:
    """Subclass it as `class TestX(ExecutorConformance)` and name the executor."""

    executor: ClassVar[ExecutorPlugin]
    workers: ClassVar[int] = 2
    """How many are asked for."""

    @contextmanager
    def started(self, folder: Path) -> Iterator[Executor]:
        """Yields the executor, started for toys, and closes it."""
        request = ExecutorRequest(self.workers, self.workers, "cpu", str(folder / "log"), PLUGINS)
        executor = self.executor.start(request)
        try:
            yield executor
        finally:
            executor.close()

    def test_name(self) -> None:
        """The name can stand on a command line."""
        check_name(self.executor.name)
        assert self.executor.__doc__, "an executor says where it runs fits"

    def test_import_is_light(self) -> None:
        """Listing executors must not load torch."""
        check_light(self.executor)

    def test_it_offers_something(self, tmp_path: Path) -> None:
        """There is a worker with a core, on a device of a known kind."""
        with self.started(tmp_path) as executor:
            capacity = executor.capacity()
            assert isinstance(executor, Executor)
            assert capacity.workers >= 1
            assert capacity.cores >= 1
            assert capacity.device in {"cpu", "cuda"}

    def test_a_search_fit_is_answered_whole(self, tmp_path: Path) -> None:
        """The answer holds a result for each fit, in order, its memory, and what it was made with."""
        fits = tuple(Fit(trial, 0, {"lr": 0.01 * (trial + 1), "steps": 4}) for trial in range(2))
        with self.started(tmp_path) as executor:
            for fit in fits:
                answer = _answer(executor, order("toy-fit", fit, tmp_path))
                (result,) = answer.results
                assert (result.trial, result.seed, result.params) == (fit.trial, fit.seed, fit.params)
                assert result.status == "ok", f"{result.reason}\n{result.traceback}"
                assert result.validation is not None
                assert answer.made_with.distributions["tlbench"]
                assert set(answer.made_with.data) == {"train", "validation"}, "the test split was read in a search"

    def test_a_final_fit_is_predicted_and_scored(self, tmp_path: Path) -> None:
        """Predictions are in the folder when a final fit is answered, and a `score` finds them there."""
        fits = tuple(Fit(0, seed, PARAMS) for seed in (0, 1))
        with self.started(tmp_path) as executor:
            for fit in fits:
                (result,) = _answer(executor, order("toy-fit", fit, tmp_path, "final")).results
                assert result.predictions is not None
                assert (tmp_path / result.predictions).is_file()
            scored = _answer(executor, order("toy-fit", fits, tmp_path, "score"))
        assert {score.seed for score in scored.scores} == {0, 1}
        assert (tmp_path / scored.predictions).is_file()

    def test_the_same_order_gives_the_same_scores(self, tmp_path: Path) -> None:
        """On whichever worker, after whatever else."""
        with self.started(tmp_path) as executor:
            found = []
            for strategy in ("toy-tune", "toy-littering", "toy-tune"):
                (result,) = _answer(executor, order(strategy, Fit(0, 0, PARAMS), tmp_path)).results
                assert result.status == "ok", f"{result.reason}\n{result.traceback}"
                found.append(result.validation)
            assert found[0] == found[2]

    def test_as_many_orders_as_workers_are_on_their_way_at_once(self, tmp_path: Path) -> None:
        """Each is named by `wait` once it has ended, and answers what it was asked."""
        with self.started(tmp_path) as executor:
            count = executor.capacity().workers
            sent = {executor.submit(order("toy-fit", Fit(trial, 0, PARAMS), tmp_path)): trial for trial in range(count)}
            left = dict(sent)
            while left:
                done = executor.wait(list(left), PATIENCE_SECONDS)
                assert done, "no order ended"
                assert done <= left.keys()
                for handle in done:
                    assert handle.result().results[0].trial == left.pop(handle)

    def test_a_fault_is_answered_and_the_next_order_is_carried_out(self, tmp_path: Path) -> None:
        """Whatever a strategy raises is in its result."""
        with self.started(tmp_path) as executor:
            faults = ["toy-oom", "toy-diverging", "toy-interrupting[how=generator]", "toy-interrupting[how=exit]"]
            if executor.capacity().isolated:
                faults.append("toy-interrupting")
            for strategy in faults:
                (result,) = _answer(executor, order(strategy, Fit(0, 0, PARAMS), tmp_path)).results
                assert result.status in {"failed", "oom", "diverged"}, strategy
            assert _answer(executor, order("toy-fit", Fit(0, 0, PARAMS), tmp_path)).results[0].status == "ok"

    @pytest.mark.parametrize("status", [0, 1, 139, -9, -15])
    def test_a_worker_that_ends_is_lost_and_another_goes_on(self, tmp_path: Path, status: int) -> None:
        """However it ends: by an exit status, 0 too, or by a signal."""
        with self.started(tmp_path) as executor:
            _needs_isolation(executor)
            with pytest.raises(WorkerLost):
                _answer(executor, order(f"toy-exiting[status={status}]", Fit(0, 0, PARAMS), tmp_path))
            assert _answer(executor, order("toy-fit", Fit(0, 0, PARAMS), tmp_path)).results[0].status == "ok"

    def test_what_is_cancelled_ends(self, tmp_path: Path) -> None:
        """Whatever it is doing; and the executor goes on."""
        with self.started(tmp_path) as executor:
            _needs_isolation(executor)
            handle = executor.submit(order("toy-slow[rounds=1000000000]", Fit(0, 0, PARAMS), tmp_path))
            assert executor.wait([handle], 0.0) == set(), "it cannot have ended"
            handle.cancel()
            with pytest.raises(WorkerLost):
                _ended(executor, handle)
            assert _answer(executor, order("toy-fit", Fit(0, 0, PARAMS), tmp_path)).results[0].status == "ok"

    def test_it_closes_in_the_middle_of_work(self, tmp_path: Path) -> None:
        """Whatever is in work ends with it."""
        with self.started(tmp_path) as executor:
            _needs_isolation(executor)
            executor.submit(order("toy-slow[rounds=1000000000]", Fit(0, 0, PARAMS), tmp_path))


def order(strategy: str, fits: Fit | tuple[Fit, ...], folder: Path, purpose: str = "search") -> FitOrder:
    """Returns an order for a toy."""
    cell = Cell(Ref("toy-tone"), Ref(strategy), Protocol(trials=4, seeds=(0, 1), precision="fp32"), Ref("toy"))
    wanted = fits if isinstance(fits, tuple) else (fits,)
    return FitOrder(cell, purpose, wanted, folder=str(folder), environment=PLUGINS)  # type: ignore[arg-type]


def _answer(executor: Executor, asked: FitOrder) -> OrderResult:
    answer = _ended(executor, executor.submit(asked))
    assert not answer.error, f"{answer.error}\n{answer.traceback}"
    return answer


def _ended(executor: Executor, handle: Handle) -> OrderResult:
    assert executor.wait([handle], PATIENCE_SECONDS) == {handle}, "the order did not end"
    return handle.result()


def _needs_isolation(executor: Executor) -> None:
    if not executor.capacity().isolated:
        pytest.skip("its workers cannot die alone")
