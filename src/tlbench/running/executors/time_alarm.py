"""Interrupts a block of code in the main thread at a time limit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Alarm(BaseException):
    """Raised by the signal handler at the time limit; a BaseException, so that no `except Exception` swallows it."""


@contextmanager
def alarm_after(seconds: float | None) -> Iterator[None]:
    """Raises `Alarm` in the block at the time limit; does nothing without a limit or outside the main thread."""
    # Python runs signal handlers in the main thread only, and lets no other thread set one.
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(signum: int, frame: object) -> None:
        raise Alarm

    previous = signal.signal(signal.SIGALRM, ring)
    # Zero would turn the timer off.
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
