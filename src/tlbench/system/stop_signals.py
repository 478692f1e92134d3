"""Lets SIGTERM and SIGHUP end a command as Ctrl-C does: it cleans up, and one line says which results are kept."""

from __future__ import annotations

import dis
import os
import signal
from types import FrameType, TracebackType


class Stopped(KeyboardInterrupt):
    """SIGTERM or SIGHUP arrived; handled like Ctrl-C, except for the exit status."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interrupted(Exception):
    """Ctrl-C or a signal ended a command; an exception that no library takes for its own."""

    def __init__(self, stop: KeyboardInterrupt) -> None:
        super().__init__("interrupted")
        self.stop = stop


def stop_on_signals() -> None:
    """Makes SIGTERM and SIGHUP raise `Stopped` in the main thread, unless the process was started to ignore them."""
    owner = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        # A second signal ends the process at once, and so does the first one in a process that was forked from this.
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != owner:
            signal.raise_signal(number)
        raise Stopped(number)

    # Windows has no SIGHUP.
    for number in (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])):
        # nohup starts a process that ignores SIGHUP.
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, stop)


def is_raised_by_code(error: KeyboardInterrupt) -> bool:
    """Returns whether a `raise` statement made a KeyboardInterrupt, as in a faulty plugin, and not a signal."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    # Ctrl-C interrupts any instruction; what raises on purpose stands at this one.
    raising = dis.opmap["RAISE_VARARGS"]
    return type(error) is KeyboardInterrupt and trace is not None and _opcode(trace) == raising


def _opcode(trace: TracebackType) -> int:
    return trace.tb_frame.f_code.co_code[trace.tb_lasti]


def exit_status(stop: BaseException) -> int:
    """Returns the exit status of an interrupted command: 128 and the number of the signal, as in a shell."""
    if isinstance(stop, Interrupted):
        stop = stop.stop
    return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)
