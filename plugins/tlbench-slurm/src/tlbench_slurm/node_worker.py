"""A job of the queue as a worker of a run that sends single fits: it carries out the orders in its folder."""

from __future__ import annotations

import os
import secrets
import socket
import time
from pathlib import Path

import msgspec

from tlbench import Executor, ExecutorRequest, FitOrder, WorkerLost, local_executor
from tlbench_slurm.worker_files import WorkerAnswer, WorkerSettings, read_text, write_whole

SILENT_SECONDS = 180.0
"""Time after which a driver that no longer raises its number counts as dead."""
_LONGEST_PAUSE = 0.05
_CANCEL_SECONDS = 0.5


class _Driver:
    """The state of the driver as a worker sees it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._beat, self._since = "", time.monotonic()

    def is_gone(self) -> bool:
        """Returns whether the run has ended or its driver has died."""
        beat = read_text(self._folder / "beat")
        if beat and beat != self._beat:
            self._beat, self._since = beat, time.monotonic()
        # The driver removes the folder when it ends.
        ended = (self._folder / "stop").exists() or not self._folder.is_dir()
        return ended or time.monotonic() - self._since > SILENT_SECONDS


def serve(folder: Path) -> None:
    """Carries out orders until the run has ended.

    Args:
        folder: The folder of this worker, in that of the run's workers.
    """
    settings = msgspec.json.decode((folder.parent / "settings.json").read_bytes(), type=WorkerSettings)
    os.environ.update(settings.environment)
    request = ExecutorRequest(1, 1, settings.device, settings.log, settings.environment, devices=settings.devices)
    driver = _Driver(folder.parent)
    executor = local_executor(request)
    try:
        token = f"{os.getpid()}.{secrets.token_hex(4)}"
        write_whole(folder / "ready", f"{token} {socket.gethostname()}".encode("ascii", "replace"))
        _serve_orders(folder, token, executor, driver)
    except FileNotFoundError:
        # The driver has removed the folder.
        if folder.is_dir():
            raise
    finally:
        executor.close()


def _serve_orders(folder: Path, token: str, executor: Executor, driver: _Driver) -> None:
    pause, looked = 0.002, time.monotonic()
    while True:
        orders = sorted(path for path in folder.iterdir() if path.name.startswith(f"order-{token}-"))
        for path in orders:
            write_whole(path.with_name(path.name.replace("order-", "answer-", 1)), _answer(path, executor, driver))
            path.unlink(missing_ok=True)
        pause = 0.002 if orders else min(2 * pause, _LONGEST_PAUSE)
        if time.monotonic() - looked > 1.0:
            if driver.is_gone():
                return
            looked = time.monotonic()
        time.sleep(pause)


def _answer(path: Path, executor: Executor, driver: _Driver) -> bytes:
    order = msgspec.json.decode(path.read_bytes(), type=FitOrder)
    cancel = path.with_name(path.stem.replace("order-", "cancel-", 1))
    handle = executor.submit(order)
    is_cancelled = False
    while not executor.wait([handle], _CANCEL_SECONDS):
        if not is_cancelled and (cancel.exists() or driver.is_gone()):
            is_cancelled = True
            handle.cancel()
    try:
        return msgspec.json.encode(WorkerAnswer(handle.result()))
    except WorkerLost as lost:
        return msgspec.json.encode(WorkerAnswer(lost=str(lost), oom=lost.oom))
