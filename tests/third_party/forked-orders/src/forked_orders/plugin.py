"""Brings the executor."""

from forked_orders.executor import ForkedOrders
from tlbench import hookimpl

tlbench_api = (1, 0)


@hookimpl
def tlbench_executors():
    return [ForkedOrders()]
