"""The dispatcher with faulty executors: every cell still gets its record, and the run goes on."""

import msgspec
import pytest

from tlbench import WorkerLost
from tlbench.contracts.executor import Capacity, ExecutorRequest
from tlbench.contracts.record import FitResult
from tlbench.running.cells.attempt import OrderDefaults
from tlbench.running.dispatch import MAX_ATTEMPTS, Dispatcher
from tlbench.running.executors import Inline
from tlbench.running.run import Settings


class Handle:
    def __init__(self, act):
        self.act = act
        self.is_cancelled = False

    def result(self):
        return self.act()

    def cancel(self):
        self.is_cancelled = True


class Scripted:
    """Carries out orders inline through `fault`, which may raise or change results; keeps all orders."""

    def __init__(self, fault=lambda order, answer: answer(), workers=1):
        self._inline = Inline().start(ExecutorRequest(device="cpu"))
        self._fault, self._count = fault, workers
        self.sent = []
        self.most = 0
        self._open = set()

    def capacity(self):
        return Capacity(self._count)

    def submit(self, order):
        self.sent.append(order)

        def act():
            return self._fault(order, lambda: self._inline.submit(order).result())

        handle = Handle(act)
        self._open.add(handle)
        self.most = max(self.most, len(self._open))
        return handle

    def wait(self, handles, timeout=None):
        one = next(iter(handles))
        self._open.discard(one)
        return {one}

    def close(self):
        self._inline.close()


@pytest.fixture
def dispatched(runs):
    """Runs strategies on a scripted executor; returns their records in the order in which they were committed."""

    def go(executor, strategies, **what):
        planned = runs.plan(strategies, **what)
        attempts = runs.attempts(planned, Settings("inline", device="cpu"))
        records = []
        Dispatcher(executor, runs.catalog, OrderDefaults(), lambda record, folder: records.append(record)).run(attempts)
        return records

    return go


def lost(order, answer):
    raise WorkerLost("was killed by SIGKILL")


def test_a_lost_order_is_retried_and_finally_given_up(dispatched):
    def once(order, answer):
        return lost(order, answer) if order.attempt == 1 else answer()

    executor = Scripted(once)
    (record,) = dispatched(executor, ["toy-fit"], trials=2, seeds=2)
    assert record.status == "ok"
    assert [order.attempt for order in executor.sent].count(2) == [order.attempt for order in executor.sent].count(1)

    executor = Scripted(
        lambda order, answer: lost(order, answer) if order.cell.strategy.name == "toy-fit" else answer()
    )
    records = dispatched(executor, ["toy-fit", "toy-tune"], trials=1)
    assert [record.status for record in records] == ["ok", "crashed"], "what is killed again and again goes last"
    assert f"was killed by SIGKILL {MAX_ATTEMPTS} times" in records[1].reason


def test_a_worker_killed_for_memory_gives_the_status_oom(dispatched):
    def oom(order, answer):
        raise WorkerLost("was killed by SIGKILL", oom=True)

    (record,) = dispatched(Scripted(oom), ["toy-fit"])
    assert record.status == "oom"


def test_results_of_other_fits_than_ordered_fail_the_cell(dispatched):
    def other(order, answer):
        made = answer()
        if order.purpose == "score":
            return made
        return msgspec.structs.replace(made, results=(*made.results, FitResult({}, 9, "search", 9, "ok")))

    (record,) = dispatched(Scripted(other), ["toy-fit"], trials=2)
    assert record.status == "failed"
    assert "answered other fits" in record.reason


@pytest.mark.parametrize("where", ["submit", "result"])
def test_an_executor_that_raises_ends_the_cell_and_not_the_run(dispatched, where):
    class Raising(Scripted):
        def submit(self, order):
            if where == "submit" and order.cell.strategy.name == "toy-fit":
                raise OSError("the queue is gone")
            return super().submit(order)

    def fault(order, answer):
        if where == "result" and order.cell.strategy.name == "toy-fit":
            raise RuntimeError("the answer is gone")
        return answer()

    records = {r.cell.strategy.name: r for r in dispatched(Raising(fault), ["toy-fit", "toy-tune"], trials=2)}
    assert (records["toy-fit"].status, records["toy-tune"].status) == ("crashed", "ok")
    assert "is gone" in records["toy-fit"].reason


def test_no_more_orders_are_in_flight_than_there_are_workers(dispatched):
    executor = Scripted(workers=3)
    records = dispatched(executor, ["toy-fit", "toy-tune"], trials=6, seeds=2)
    assert [record.status for record in records] == ["ok", "ok"]
    assert executor.most == 3


def test_the_search_is_the_same_on_any_number_of_workers(dispatched, essence):
    found = [dispatched(Scripted(workers=count), ["toy-fit"], trials=12, seeds=2) for count in (1, 2, 4, 8)]
    assert all(essence(records[0]) == essence(found[0][0]) for records in found[1:])


def test_machines_may_leave_and_come_during_a_run(dispatched, monkeypatch):
    from tlbench.running import dispatch

    executor = Scripted(workers=0)

    def come(seconds):
        executor._count = 3

    def leave(order, answer):
        # In the middle of the run all but one are gone.
        executor._count = 1 if len(executor.sent) > 4 else 3
        return answer()

    executor._fault = leave
    monkeypatch.setattr(dispatch.time, "sleep", come)
    (record,) = dispatched(executor, ["toy-fit"], trials=8, seeds=1, sampler="random")
    assert record.status == "ok"
    assert executor.most == 3
