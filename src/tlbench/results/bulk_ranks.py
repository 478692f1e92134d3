"""Ranks that take many paired tests, made on every core while the rest of a table is."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from tlbench.contracts.metric import Metric
from tlbench.results.bulk import processes
from tlbench.results.lines import Line
from tlbench.results.ranking import Place

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

ENOUGH = 200
"""How many files of predictions it takes for other processes to save more time than they cost."""

Tested: TypeAlias = tuple[list[Place], list[str]]
"""The places of the lines of one group, and what is to be said of files that could not be read."""
Group: TypeAlias = tuple[Metric, Sequence[Line]]
"""A metric, and lines of one task that have a score in it."""
_Key: TypeAlias = tuple[str, tuple[str, ...]]

_decode = msgspec.msgpack.Decoder(Tested).decode


class BulkRanks:
    """Ranks groups of lines as `ranked` does; those that are said to come are begun at once, in other processes.

    Used as a context manager, at the end of which no other process is left. A group that was not said to come, or whose
    process was ended, is ranked when it is asked for.
    """

    def __init__(self, ranked: Callable[[Metric, Sequence[Line]], Tested], coming: Sequence[Group] = ()) -> None:
        self._ranked = ranked
        self._found: dict[_Key, Tested] = {}
        self._coming: dict[_Key, Connection] = {}
        self._keys: dict[Connection, list[_Key]] = {}
        """What has not come yet, in the order in which it will."""
        self._processes: list[BaseProcess] = []
        files = sum(line.predictions is not None for _, lines in coming for line in lines)
        if files >= ENOUGH and (number := min(processes(), len(coming))) > 1:
            with suppress(OSError):  # no memory for another one
                for i in range(number):
                    self._begin(coming[i::number])

    def _begin(self, groups: Sequence[Group]) -> None:
        import multiprocessing

        # Forked, so that it has the lines; and it ends with this process, whatever it is at.
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_rank, args=(self._ranked, groups, sender), daemon=True)
        process.start()
        sender.close()
        self._processes.append(process)
        self._keys[receiver] = [_key(*group) for group in groups]
        self._coming |= dict.fromkeys(self._keys[receiver], receiver)

    def __call__(self, metric: Metric, lines: Sequence[Line]) -> Tested:
        """Returns the places of these lines, and what is to be said."""
        key = _key(metric, lines)
        receiver = self._coming.get(key)
        while receiver is not None and key not in self._found and self._keys[receiver]:
            try:
                self._found[self._keys[receiver].pop(0)] = _decode(receiver.recv_bytes())
            except (EOFError, OSError, ValueError):
                self._keys[receiver].clear()  # somebody has ended it
        return self._found.pop(key, None) or self._ranked(metric, lines)

    def __enter__(self) -> BulkRanks:
        return self

    def __exit__(self, *error: object) -> None:
        for receiver in self._keys:
            receiver.close()
        for process in self._processes:
            process.terminate()
            process.join()


def _rank(ranked: Callable[[Metric, Sequence[Line]], Tested], groups: Sequence[Group], sender: Connection) -> None:
    gc.disable()  # lines hold no circles, and there are none of the parent's to be found
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What goes wrong here goes wrong again where it is asked for, and is raised there.
    with suppress(Exception):
        for metric, lines in groups:
            sender.send_bytes(msgspec.msgpack.encode(ranked(metric, lines)))


def _key(metric: Metric, lines: Sequence[Line]) -> _Key:
    return metric.name, tuple(line.cell for line in lines)
