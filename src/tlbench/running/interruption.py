"""Holds back the first Ctrl-C of a run, so that what workers finish within seconds is stored before the run ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

DRAIN_SECONDS = 3.0
"""Time after the first signal in which results that come are still stored."""
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interruption:
    """Within it, the first signal to stop only sets `requested`; a second one acts at once, as it does outside.

    It changes nothing in a thread other than the main one, which gets no signals, nor for signals that are ignored.
    """

    def __init__(self) -> None:
        self._previous: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._number: int | None = None
        self._is_deferring = True

    @property
    def requested(self) -> bool:
        """Whether a signal has asked the run to stop."""
        return self._number is not None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                # Neither ignored nor the system's default, which ends the process: a handler that raises.
                if callable(handler):
                    self._previous[number] = handler
                    signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Lets the first signal act at once in the block too, for work that nothing else would interrupt."""
        self._is_deferring = False
        try:
            yield
        finally:
            self._is_deferring = True

    def finish(self) -> None:
        """Does what the signal would have done: raises a KeyboardInterrupt; does nothing if there was none."""
        if self._number is not None:
            self._previous[self._number](self._number, None)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        is_first, self._number = self._number is None, number
        if not (self._is_deferring and is_first):
            self._previous[number](number, frame)
