"""Computes ranks that need many paired tests, in several processes and while the rest of the table is computed."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from tlbench.contracts.metric import Metric
from tlbench.metrics import METRICS
from tlbench.results.ranking import Place
from tlbench.results.records.parallel_reading import process_count
from tlbench.results.records.summaries import CellSummary

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

MIN_FILES = 200
"""Number of prediction files from which several processes save more time than they cost."""

Tested: TypeAlias = tuple[list[Place], list[str]]
"""The places of the summaries of one group, and a complaint about each file that could not be read."""
Group: TypeAlias = tuple[Metric, Sequence[CellSummary]]
"""A metric, and the summaries of one task that have a score in this metric."""
_Key: TypeAlias = tuple[str, str, int]

_decode = msgspec.msgpack.Decoder(Tested).decode
_decode_groups = msgspec.msgpack.Decoder(list[tuple[str, list[CellSummary]]]).decode


class ParallelRanks:
    """Ranks groups of summaries as `ranked` does, in other processes if that saves time.

    A context manager: no process is left when it exits. A group that was not announced, or whose process was killed, is
    ranked in this process when its ranks are requested.
    """

    def __init__(self, ranked: Callable[[Metric, Sequence[CellSummary]], Tested]) -> None:
        self._ranked = ranked
        self._results: dict[_Key, Tested] = {}
        """Results received before they were requested."""
        self._sources: dict[_Key, Connection] = {}
        """For each announced group, the connection to the process that ranks it."""
        self._pending: dict[Connection, list[_Key]] = {}
        """The groups whose results are still to come on each connection, in the order in which they will arrive."""
        self._processes: list[BaseProcess] = []
        self._connections: list[Connection] = []

    def start(self, files: int) -> None:
        """Starts the processes if there are enough files of predictions; may be called before groups are known.

        The processes then import NumPy and `stats` while this process reads records.
        """
        if files < MIN_FILES or self._processes or (number := process_count()) < 2:
            return
        import multiprocessing

        # A fork starts at once and can use `ranked`, a closure that cannot be pickled. Started early, this process is
        # still small, and the fewer pages it has written, the fewer are copied later.
        context = multiprocessing.get_context("fork")
        # Without memory for another process, those that were started do the work.
        with suppress(OSError):
            for _ in range(number):
                ours, theirs = context.Pipe()
                # A daemon: terminated when this process exits, even if `__exit__` never runs.
                inherited = [*self._connections, ours]
                process = context.Process(target=_rank, args=(self._ranked, theirs, inherited), daemon=True)
                process.start()
                # With the only other copy of this end in the child, its death closes the connection and `recv` raises.
                theirs.close()
                self._processes.append(process)
                self._connections.append(ours)

    def announce(self, groups: Sequence[Group]) -> None:
        """Starts ranking these groups in other processes; calling this object returns their ranks later."""
        # Only names of metrics are sent, and the processes know only tlbench's own: skip groups of plugins' metrics.
        known = [group for group in groups if METRICS.get(group[0].name) is group[0]]
        if len(known) < 2:
            return
        self.start(sum(summary.predictions is not None for _, group in known for summary in group))
        for i, connection in enumerate(self._connections):
            share = known[i :: len(self._connections)]
            try:
                connection.send_bytes(msgspec.msgpack.encode([(metric.name, group) for metric, group in share]))
            except OSError:
                continue  # the process was killed, for lack of memory perhaps
            self._pending[connection] = [_key(*group) for group in share]
            self._sources |= dict.fromkeys(self._pending[connection], connection)

    def __call__(self, metric: Metric, group: Sequence[CellSummary]) -> Tested:
        """Returns the group's places and messages on unreadable files; waits for the process that ranks the group."""
        key = _key(metric, group)
        connection = self._sources.get(key)
        # A process sends its results in the order of its groups. All processes are read while one is waited for: a pipe
        # holds about one result, and a process waits while it is full.
        while connection is not None and key not in self._results and self._pending[connection]:
            self._receive()
        return self._results.pop(key, None) or self._ranked(metric, group)

    def _receive(self) -> None:
        """Waits until a process has sent a result, and keeps one of each process that has."""
        from multiprocessing.connection import Connection, wait

        for connection in wait([one for one, keys in self._pending.items() if keys]):
            assert isinstance(connection, Connection)
            try:
                self._results[self._pending[connection].pop(0)] = _decode(connection.recv_bytes())
            except (EOFError, OSError, ValueError):
                # Killed, or its group raised: nothing more will come, and this process ranks the rest.
                self._pending[connection].clear()

    def __enter__(self) -> ParallelRanks:
        return self

    def __exit__(self, *error: object) -> None:
        for connection in self._connections:
            connection.close()
        for process in self._processes:
            process.terminate()
            process.join()


def _rank(
    ranked: Callable[[Metric, Sequence[CellSummary]], Tested], connection: Connection, inherited: Sequence[Connection]
) -> None:
    # The fork copied the parent's ends: left open here, the death of the parent would never be noticed.
    for other in inherited:
        other.close()
    # Summaries hold no reference cycles, and a collection would copy every page of objects shared with the parent.
    gc.disable()
    # The parent's handler, inherited by the fork, would raise KeyboardInterrupt and print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # The parent ranks a group again if its result does not arrive, so an error is raised there, where it is handled.
    with suppress(Exception):
        # There is a process for each core, so several threads of NumPy's would only wait for each other.
        os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        # Imported while the parent still reads records.
        import pyarrow.parquet  # noqa: F401
        import scipy.special  # noqa: F401

        import tlbench.results.stats  # noqa: F401

        for name, group in _decode_groups(connection.recv_bytes()):
            connection.send_bytes(msgspec.msgpack.encode(ranked(METRICS[name], group)))


def _key(metric: Metric, group: Sequence[CellSummary]) -> _Key:
    # Announced groups have no summary in common, so the first summary identifies the group. The length keeps a subset
    # of an announced group from getting the ranks of the whole group.
    return metric.name, group[0].cell, len(group)
