"""The core's executors and a third-party one pass the conformance suite."""

import textwrap

from third_party_executor import Subprocesses

from tlbench.contracts import executor
from tlbench.running.executors import Inline, Isolated
from tlbench.testing.conformance import ExecutorConformance


class TestInline(ExecutorConformance):
    executor = Inline()


class TestIsolated(ExecutorConformance):
    executor = Isolated()


class TestSubprocesses(ExecutorConformance):
    executor = Subprocesses()


def documented():
    """Returns the executor that the contract's docstring shows."""
    lines = executor.__doc__.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("    from dataclasses"))
    names = {"__name__": "documented"}
    exec(textwrap.dedent("\n".join(lines[first:])), names)
    assert names["tlbench_executors"]() == [names["Direct"]()]
    return names["Direct"]()


class TestDocumented(ExecutorConformance):
    executor = documented()
    test_import_is_light = None  # it is no module of its own
