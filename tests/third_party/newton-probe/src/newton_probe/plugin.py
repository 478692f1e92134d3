"""Brings the strategy."""

from newton_probe.strategy import NewtonProbe
from tlbench import hookimpl

tlbench_api = (1, 0)


@hookimpl
def tlbench_strategies():
    return [NewtonProbe()]
