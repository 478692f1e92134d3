"""One process that runs cells, one after another, and keeps what they share warm."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
import warnings
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tlbench.contracts.errors import UsageError
from tlbench.contracts.executor import CellOrder
from tlbench.contracts.record import Record
from tlbench.running.crew import Crew, help_others
from tlbench.running.outcomes import ended
from tlbench.running.work import WorkFolder

if TYPE_CHECKING:
    import torch

    from tlbench.running.workbench import Workbench

QUIET = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
MALLOC = {
    # A training step frees and takes the same large blocks again and again; kept, they cost no page faults.
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(2**26),
}
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")


@dataclass
class _Warm:
    bench: Workbench | None = None
    slot: int = 0
    crew: Crew | None = None


_warm = _Warm()
"""What this process keeps between cells; a process works on one cell at a time."""


def start(log: str, folder: str, threads: int) -> None:
    """Makes this process a worker: quiet, on its share of the cores, and gone when its parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _watch_parent()
    prepare(threads)
    _warm.slot = _claim_slot(Path(folder))
    _warm.crew = Crew(Path(folder), _warm.slot)
    _warm.crew.hang_up()
    # Whatever a library prints, from C as well, goes to the log and not over the live view.
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)
    # Paid once a process, before any cell's clock starts.
    import_libraries()


def prepare(threads: int) -> None:
    """Sets what must be set before torch and the model libraries are imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in _THREADS:
        os.environ[name] = str(threads)
    warnings.simplefilter("ignore")
    logging.captureWarnings(True)


def run_order(encoded: bytes) -> bytes:
    """Returns the record of an order, both as JSON; waits while another process works on the same cell."""
    return msgspec.json.encode(run(msgspec.json.decode(encoded, type=CellOrder)))


def assist() -> None:
    """Takes fits of other workers' cells until the run has no more."""
    from tlbench.running.performer import Performer
    from tlbench.running.workbench import Materials

    def performer_of(order: CellOrder) -> Performer:
        return Performer(Materials(order.cell, _bench(order), WorkFolder(Path(order.work))))

    if _warm.crew is not None:
        help_others(_warm.crew, performer_of)


def run(order: CellOrder) -> Record:
    """Returns the record of an order, run in this process."""
    work = WorkFolder(Path(order.work))
    with work.lease():
        if (record := work.record(order.cell.id, order.attempt)) is not None:
            return record
        try:
            bench = _bench(order)
        except UsageError:
            raise
        except (Exception, SystemExit) as error:
            return ended(order, "failed", f"the worker could not start: {type(error).__name__}: {error}")
        from tlbench.running.cell import run_cell

        return run_cell(order, bench, work, _warm.crew)


def _bench(order: CellOrder) -> Workbench:
    from tlbench.running.workbench import Workbench

    device = resolve_device(order.device, _warm.slot)
    if _warm.bench is None or (_warm.bench.device, _warm.bench.threads) != (device, order.threads):
        import torch

        from tlbench.catalog.catalog import Catalog

        torch.set_num_threads(order.threads)
        _warm.bench = Workbench(Catalog.discover(), device, order.threads, disposable=_warm.crew is not None)
    return _warm.bench


def import_libraries() -> None:
    """Imports what every cell needs; what cannot be imported is left to be reported by the first cell."""
    with suppress(Exception, SystemExit):
        import tlbench.running.cell  # noqa: F401
        from tlbench.modeling.metrics import metric_class

        metric_class("accuracy")


def resolve_device(name: str, slot: int = 0) -> torch.device:
    """Returns the device of a worker: `auto` and `cuda` take the GPU of the worker's slot.

    Raises:
        UsageError: A device that torch does not see, or cannot use.
    """
    import torch

    count = torch.cuda.device_count()
    if name == "cpu" or (name == "auto" and not count):
        return torch.device("cpu")
    index = slot % count if count and ":" not in name else None
    device = torch.device("cuda", index) if index is not None else torch.device(name)
    if device.type == "cuda":
        if (device.index or 0) >= count:
            raise UsageError(f"device {name}: torch sees {count} GPUs")
        try:
            # GPUs are counted without a driver that works
            torch.cuda.init()
        except Exception as error:
            raise UsageError(f"device {name}: {' '.join(str(error).split())} (--device cpu does without)") from None
    return device


def forget() -> None:
    """Drops what this process keeps warm."""
    _warm.bench = None


def _claim_slot(folder: Path) -> int:
    """Returns the lowest number that no other worker of this run holds; the kernel frees it on any death."""
    slot = 0
    while True:
        handle = os.open(folder / f"slot-{slot}", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            slot += 1
        else:
            return slot


def _watch_parent() -> None:
    parent = parent_process()
    if parent is None:
        return

    def wait() -> None:
        connection.wait([parent.sentinel])
        # An orphan would go on writing into a folder that the next run works in.
        os._exit(1)

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()
