"""Conformance checks for executors."""

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
from tlbench.testing.conformance.every_plugin import check_light, check_name

PLUGINS = {"TLBENCH_PLUGINS": "tlbench.testing.toy_plugin,tlbench.testing.faults"}
PARAMS: dict[str, Value] = {"lr": 0.01, "steps": 4}
PATIENCE_SECONDS = 240.0
"""Time limit for an order, in seconds; the toys need milliseconds, so an order that exceeds the limit hangs."""


class ExecutorConformance:
    """Checks that an executor carries out orders of toy fits and survives faulty ones.

    Guarantees: every order gets a complete result; equal orders give equal scores on any worker; orders run
    concurrently; any exception of a strategy becomes part of a result. If `capacity().isolated` is set, also: the death
    of a worker raises `WorkerLost` for its order alone, orders can be cancelled, and `close` ends running orders.

        class TestMyExecutor(ExecutorConformance):
            executor = MyExecutor()
            workers = 4
    """

    executor: ClassVar[ExecutorPlugin]
    workers: ClassVar[int] = 2
    """Number of workers to request."""

    @contextmanager
    def started(self, folder: Path) -> Iterator[Executor]:
        """Yields the executor, started with the toy plugins; closes it afterwards."""
        request = ExecutorRequest(self.workers, self.workers, "cpu", str(folder / "log"), PLUGINS)
        executor = self.executor.start(request)
        try:
            yield executor
        finally:
            executor.close()

    @pytest.fixture(scope="class")
    @classmethod
    def shared(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
        """The executor, started once for the tests of the class, since its first worker may take seconds to start."""
        with cls().started(tmp_path_factory.mktemp("executor")) as executor:
            yield executor

    def test_name(self) -> None:
        """The name is valid on the command line, and the class has a docstring."""
        check_name(self.executor.name)
        assert self.executor.__doc__, "add a docstring to the executor: where does it run fits?"

    def test_import_is_light(self) -> None:
        """Importing the executor's module does not import heavy libraries such as torch."""
        check_light(self.executor)

    def test_capacity(self, shared: Executor) -> None:
        """The capacity has at least one worker with one core, on a known device."""
        capacity = shared.capacity()
        assert isinstance(shared, Executor)
        assert capacity.workers >= 1
        assert capacity.cores >= 1
        assert capacity.device in {"cpu", "cuda"}

    def test_search_result_is_complete(self, shared: Executor, tmp_path: Path) -> None:
        """A search order returns its fit's status, validation score and provenance, without reading the test split."""
        fits = tuple(Fit(trial, 0, {"lr": 0.01 * (trial + 1), "steps": 4}) for trial in range(2))
        for fit in fits:
            order_result = _run(shared, order("toy-fit", fit, tmp_path))
            (result,) = order_result.results
            assert (result.trial, result.seed, result.params) == (fit.trial, fit.seed, fit.params)
            assert result.status == "ok", f"{result.reason}\n{result.traceback}"
            assert result.validation is not None
            assert order_result.made_with.distributions["tlbench"]
            # A search that reads the test split could select hyperparameters by it.
            assert set(order_result.made_with.data) == {"train", "validation"}, "a search order read other splits"

    def test_final_fits_are_predicted_and_scored(self, shared: Executor, tmp_path: Path) -> None:
        """Final orders write test predictions to the order's folder, and a score order scores them from there."""
        fits = tuple(Fit(0, seed, PARAMS) for seed in (0, 1))
        for fit in fits:
            (result,) = _run(shared, order("toy-fit", fit, tmp_path, "final")).results
            assert result.predictions is not None
            assert (tmp_path / result.predictions).is_file()
        scored = _run(shared, order("toy-fit", fits, tmp_path, "score"))
        assert {score.seed for score in scored.scores} == {0, 1}
        assert (tmp_path / scored.predictions).is_file()

    def test_equal_orders_give_equal_scores(self, shared: Executor, tmp_path: Path) -> None:
        """Equal orders give equal scores, even after an order that changed global state of its process."""
        scores = []
        # The fit in between changes torch's default dtype, threads and more.
        for strategy in ("toy-tune", "toy-littering", "toy-tune"):
            (result,) = _run(shared, order(strategy, Fit(0, 0, PARAMS), tmp_path)).results
            assert result.status == "ok", f"{result.reason}\n{result.traceback}"
            scores.append(result.validation)
        assert scores[0] == scores[2]

    def test_concurrent_orders(self, shared: Executor, tmp_path: Path) -> None:
        """With as many orders as workers, `wait` returns each handle once, and each result belongs to its order."""
        count = shared.capacity().workers
        orders = [order("toy-fit", Fit(trial, 0, PARAMS), tmp_path) for trial in range(count)]
        running = {shared.submit(one): trial for trial, one in enumerate(orders)}
        while running:
            done = shared.wait(list(running), PATIENCE_SECONDS)
            assert done, f"no order ended within {PATIENCE_SECONDS:g} s"
            assert done <= running.keys(), "`wait` returned a handle that it was not given"
            for handle in done:
                assert handle.result().results[0].trial == running.pop(handle)

    def test_strategy_faults_are_results(self, shared: Executor, tmp_path: Path) -> None:
        """If a strategy raises, the result has a failure status, and the next order is carried out."""
        faults = ["toy-oom", "toy-diverging", "toy-interrupting[how=generator]", "toy-interrupting[how=exit]"]
        # Without isolation, a KeyboardInterrupt is the user's own and must stop the run.
        if shared.capacity().isolated:
            faults.append("toy-interrupting")
        for strategy in faults:
            (result,) = _run(shared, order(strategy, Fit(0, 0, PARAMS), tmp_path)).results
            assert result.status in {"failed", "oom", "diverged"}, strategy
        assert _run(shared, order("toy-fit", Fit(0, 0, PARAMS), tmp_path)).results[0].status == "ok"

    # 0 looks like success, 139 like a segmentation fault; -9 is the out-of-memory killer, -15 a cluster's time limit.
    @pytest.mark.parametrize("status", [0, 1, 139, -9, -15])
    def test_dead_workers_are_lost(self, shared: Executor, tmp_path: Path, status: int) -> None:
        """If a worker exits, even with status 0, or is killed, its order raises `WorkerLost`; the next order runs."""
        _skip_without_isolation(shared)
        with pytest.raises(WorkerLost):
            _run(shared, order(f"toy-exiting[status={status}]", Fit(0, 0, PARAMS), tmp_path))
        assert _run(shared, order("toy-fit", Fit(0, 0, PARAMS), tmp_path)).results[0].status == "ok"

    def test_cancelled_orders_end(self, shared: Executor, tmp_path: Path) -> None:
        """A cancelled order ends while it computes, and the next order is carried out."""
        _skip_without_isolation(shared)
        # Hours of computing, so that it is still running when it is cancelled.
        handle = shared.submit(order("toy-slow[rounds=1000000000]", Fit(0, 0, PARAMS), tmp_path))
        assert shared.wait([handle], 0.0) == set(), "`wait` returned a handle whose order was still running"
        handle.cancel()
        with pytest.raises(WorkerLost):
            _result(shared, handle)
        assert _run(shared, order("toy-fit", Fit(0, 0, PARAMS), tmp_path)).results[0].status == "ok"

    def test_close_ends_running_orders(self, tmp_path: Path) -> None:
        """`close` returns while an order is running, and ends it."""
        with self.started(tmp_path) as executor:
            _skip_without_isolation(executor)
            # Leaving the block calls `close`; the test's time limit catches one that waits for the order.
            executor.submit(order("toy-slow[rounds=1000000000]", Fit(0, 0, PARAMS), tmp_path))


def order(strategy: str, fits: Fit | tuple[Fit, ...], folder: Path, purpose: str = "search") -> FitOrder:
    """Returns an order of toy fits for one strategy, on the toy backbone and task."""
    cell = Cell(Ref("toy-tone"), Ref(strategy), Protocol(trials=4, seeds=(0, 1), precision="fp32"), Ref("toy"))
    batch = fits if isinstance(fits, tuple) else (fits,)
    return FitOrder(cell, purpose, batch, folder=str(folder), environment=PLUGINS)  # type: ignore[arg-type]


def _run(executor: Executor, submitted: FitOrder) -> OrderResult:
    result = _result(executor, executor.submit(submitted))
    assert not result.error, f"{result.error}\n{result.traceback}"
    return result


def _result(executor: Executor, handle: Handle) -> OrderResult:
    assert executor.wait([handle], PATIENCE_SECONDS) == {handle}, f"the order did not end within {PATIENCE_SECONDS:g} s"
    return handle.result()


def _skip_without_isolation(executor: Executor) -> None:
    if not executor.capacity().isolated:
        pytest.skip("this executor is not isolated: a dying worker would end the test process")
