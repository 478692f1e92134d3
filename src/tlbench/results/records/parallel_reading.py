"""Reads many records at once, in several processes if there are enough records."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Sequence

import msgspec

from tlbench.contracts.record import Record
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.records.summaries import Summaries
from tlbench.system.machine import cores

MIN_RECORDS = 4000
"""Number of records from which several processes are faster than one."""
_CHUNK = 1000
"""Number of records that a process reads before it returns their summaries."""
_MAX_PROCESSES = 8


def read_summaries(
    store: Store, names: Sequence[str], min_records: int = MIN_RECORDS
) -> tuple[Summaries, list[Unreadable]]:
    """Returns the summaries of the record files with these names, in the same order, and the unreadable files."""
    if len(names) >= min_records and (number := process_count()) > 1:
        from concurrent.futures.process import BrokenProcessPool

        try:
            return _read_in_processes(store, names, number)
        except (BrokenProcessPool, OSError):
            # No memory to fork, or a process was killed. Reading has no side effects, so start again in this process.
            pass
    return _read(store, names)


def _read_in_processes(store: Store, names: Sequence[str], number: int) -> tuple[Summaries, list[Unreadable]]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    chunks = [names[i : i + _CHUNK] for i in range(0, len(names), _CHUNK)]
    summaries, unreadable = Summaries(), []
    decode = msgspec.msgpack.Decoder(Summaries).decode
    # A forked process starts in milliseconds with every module imported; a spawned one would import them again. On
    # Ctrl-C the terminal signals all processes: the children ignore it, and the parent stops them.
    fork, ignore = multiprocessing.get_context("fork"), (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(number, fork, signal.signal, ignore) as pool:
        for encoded, files in pool.map(_read_encoded, [store] * len(chunks), chunks):
            summaries.extend(decode(encoded))
            unreadable += files
    return summaries, unreadable


def _read_encoded(store: Store, names: Sequence[str]) -> tuple[bytes, list[Unreadable]]:
    # Records hold no reference cycles. A collection would also touch every object inherited from the parent, and so
    # copy the memory pages that the two processes share.
    gc.disable()
    summaries, unreadable = _read(store, names)
    # Far smaller than the records, and faster than pickle.
    return msgspec.msgpack.encode(summaries), unreadable


def _read(store: Store, names: Sequence[str]) -> tuple[Summaries, list[Unreadable]]:
    summaries, unreadable = Summaries(), []
    for name in names:
        result = store.read(name)
        if isinstance(result, Record):
            summaries.add(result, name.partition(".")[0])
        else:
            unreadable.append(result)
    return summaries, unreadable


def process_count() -> int:
    """Returns how many processes may be forked: at most 8, and 1 where forking is unavailable or unsafe."""
    # A fork copies only the calling thread: a lock that another one holds would stay locked in the child for ever.
    if not sys.platform.startswith("linux") or threading.active_count() > 1:
        return 1
    # The cores this process may run on, which in a container or a batch job are fewer than the machine has.
    return min(_MAX_PROCESSES, cores())
