"""Many records read at once: on every core where there are enough of them."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Sequence

import msgspec

from tlbench.contracts.record import Record
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.records.summaries import Summaries

ENOUGH = 4000
"""How many records it takes for a second process to save more time than it costs."""
_CHUNK = 1000
_MOST = 8


def read_lines(store: Store, names: Sequence[str], enough: int = ENOUGH) -> tuple[Summaries, list[Unreadable]]:
    """Returns the lines of the records in the files of these names, in their order, and the files that are none."""
    if len(names) >= enough and (number := processes()) > 1:
        from concurrent.futures.process import BrokenProcessPool

        try:
            return _in_processes(store, names, number)
        except (BrokenProcessPool, OSError):
            pass  # no memory for them, or somebody ended one
    return _read(store, names)


def _in_processes(store: Store, names: Sequence[str], number: int) -> tuple[Summaries, list[Unreadable]]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    chunks = [names[i : i + _CHUNK] for i in range(0, len(names), _CHUNK)]
    lines, bad = Summaries(), []
    decode = msgspec.msgpack.Decoder(Summaries).decode
    # Forked ones start at once, with everything imported; an interrupt is the parent's to answer.
    fork, ignore = multiprocessing.get_context("fork"), (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(number, fork, signal.signal, ignore) as pool:
        for packed, unreadable in pool.map(_packed, [store] * len(chunks), chunks):
            lines.join(decode(packed))
            bad += unreadable
    return lines, bad


def _packed(store: Store, names: Sequence[str]) -> tuple[bytes, list[Unreadable]]:
    gc.disable()  # records hold no circles, and there are none of the parent's to be found
    lines, bad = _read(store, names)
    return msgspec.msgpack.encode(lines), bad


def _read(store: Store, names: Sequence[str]) -> tuple[Summaries, list[Unreadable]]:
    lines, bad = Summaries(), []
    for name in names:
        found = store.read(name)
        if isinstance(found, Record):
            lines.add(found, name.partition(".")[0])
        else:
            bad.append(found)
    return lines, bad


def processes() -> int:
    """Returns how many processes may be forked: one where forking is not safe, or not to be had."""
    if not sys.platform.startswith("linux") or threading.active_count() > 1:
        return 1
    return min(_MOST, len(os.sched_getaffinity(0)))
