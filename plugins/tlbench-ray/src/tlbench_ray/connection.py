"""The connection of this process to a Ray cluster. Importing this imports no ray."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tlbench import UsageError
from tlbench.system.machine import cores

INSTALL = "pip install 'ray>=2.50'"
CONNECT_SECONDS = 10.0
NO_CLUSTER = (
    "no Ray cluster answers at {!r}: start one with `ray start --head`, name its address by ray[address=HOST:PORT], or"
    " take ray[address=local] for one on this machine"
)


def connect(address: str, cpus: int = 0) -> bool:
    """Connects this process to the cluster; returns False if it is connected already.

    Args:
        address: The address of the cluster, `auto`, or `local` to start one.
        cpus: The smallest number of CPUs that a cluster that is started has, though the machine may have fewer.

    Raises:
        UsageError: Ray is not installed, no cluster answers, or it runs other versions.
    """
    # Ray reads them when it is imported. A cluster of a lab sends no statistics to Ray's makers unless it wants to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DISABLE_IMPORT_WARNING", "1")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    try:
        import ray
    except ImportError as error:
        raise UsageError(f"--executor ray needs Ray ({error}): {INSTALL}") from None
    if ray.is_initialized():
        return False
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.ERROR}
    if address == "local":
        options |= {"include_dashboard": False, "num_cpus": max(cores(), cpus)}
    logging.getLogger("ray").setLevel(logging.ERROR)
    _refuse_silent(address)
    try:
        with _kept_signals():
            ray.init(address=address, **options)
    except ConnectionError:
        raise UsageError(NO_CLUSTER.format(address)) from None
    except Exception as error:
        # A cluster of another version of Ray or Python is refused by Ray itself, in several lines; that one on this
        # machine did not start in time is an exception of no class of its own.
        raise UsageError(f"Ray at {address!r}: {' '.join(str(error).split())[:400]}") from None
    return True


def disconnect() -> None:
    """Disconnects this process, which ends the actors that it has started."""
    import ray

    with _kept_signals():
        ray.shutdown()


def _refuse_silent(address: str) -> None:
    """Raises UsageError if nothing listens at an address `host:port`; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError):
        raise UsageError(NO_CLUSTER.format(address)) from None


@contextmanager
def _kept_signals() -> Iterator[None]:
    """Restores this process's handling of signals, which Ray replaces when it connects."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
