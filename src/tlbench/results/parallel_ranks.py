"""Ranks that take many paired tests, made on every core while the rest of a table is."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from tlbench.contracts.metric import Metric
from tlbench.metrics import METRICS
from tlbench.results.ranking import Place
from tlbench.results.records.parallel_reading import processes
from tlbench.results.records.summaries import CellSummary

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

ENOUGH = 200
"""How many files of predictions it takes for other processes to save more time than they cost."""

Tested: TypeAlias = tuple[list[Place], list[str]]
"""The places of the lines of one group, and what is to be said of files that could not be read."""
Group: TypeAlias = tuple[Metric, Sequence[CellSummary]]
"""A metric, and lines of one task that have a score in it."""
_Key: TypeAlias = tuple[str, str, int]

_decode = msgspec.msgpack.Decoder(Tested).decode
_decode_groups = msgspec.msgpack.Decoder(list[tuple[str, list[CellSummary]]]).decode


class ParallelRanks:
    """Ranks groups of lines as `ranked` does, in other processes where that saves time.

    Used as a context manager, at the end of which no other process is left. A group that was not announced, or whose
    process was ended, is ranked when it is asked for.
    """

    def __init__(self, ranked: Callable[[Metric, Sequence[CellSummary]], Tested]) -> None:
        self._ranked = ranked
        self._found: dict[_Key, Tested] = {}
        self._coming: dict[_Key, Connection] = {}
        self._keys: dict[Connection, list[_Key]] = {}
        """What has not come yet, in the order in which it will."""
        self._processes: list[BaseProcess] = []
        self._connections: list[Connection] = []

    def start(self, files: int) -> None:
        """Starts the processes if so many files of predictions are worth it: they import what ranks take meanwhile."""
        if files < ENOUGH or self._processes or (number := processes()) < 2:
            return
        import multiprocessing

        # Forked early, while there is little to copy; and a process ends with this one, whatever it is at.
        context = multiprocessing.get_context("fork")
        with suppress(OSError):  # no memory for another one
            for _ in range(number):
                ours, theirs = context.Pipe()
                process = context.Process(target=_rank, args=(self._ranked, theirs), daemon=True)
                process.start()
                theirs.close()
                self._processes.append(process)
                self._connections.append(ours)

    def announce(self, groups: Sequence[Group]) -> None:
        """Has groups ranked from now on that will be asked for."""
        # The processes know no metric of a plugin.
        known = [group for group in groups if METRICS.get(group[0].name) is group[0]]
        if len(known) < 2:
            return
        self.start(sum(line.predictions is not None for _, lines in known for line in lines))
        for i, connection in enumerate(self._connections):
            share = known[i :: len(self._connections)]
            try:
                connection.send_bytes(msgspec.msgpack.encode([(metric.name, lines) for metric, lines in share]))
            except OSError:
                continue  # somebody has ended it
            self._keys[connection] = [_key(*group) for group in share]
            self._coming |= dict.fromkeys(self._keys[connection], connection)

    def __call__(self, metric: Metric, lines: Sequence[CellSummary]) -> Tested:
        """Returns the places of these lines, and what is to be said."""
        key = _key(metric, lines)
        connection = self._coming.get(key)
        while connection is not None and key not in self._found and self._keys[connection]:
            try:
                self._found[self._keys[connection].pop(0)] = _decode(connection.recv_bytes())
            except (EOFError, OSError, ValueError):
                self._keys[connection].clear()  # somebody has ended it
        return self._found.pop(key, None) or self._ranked(metric, lines)

    def __enter__(self) -> ParallelRanks:
        return self

    def __exit__(self, *error: object) -> None:
        for connection in self._connections:
            connection.close()
        for process in self._processes:
            process.terminate()
            process.join()


def _rank(ranked: Callable[[Metric, Sequence[CellSummary]], Tested], connection: Connection) -> None:
    gc.disable()  # lines hold no circles, and there are none of the parent's to be found
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What goes wrong here goes wrong again where it is asked for, and is raised there.
    with suppress(Exception):
        import tlbench.results.stats  # noqa: F401

        for name, lines in _decode_groups(connection.recv_bytes()):
            connection.send_bytes(msgspec.msgpack.encode(ranked(METRICS[name], lines)))


def _key(metric: Metric, lines: Sequence[CellSummary]) -> _Key:
    # Groups share no line, so one of them says which it is; a part of a group is another.
    return metric.name, lines[0].cell, len(lines)
