"""Ends tests that hang, as reading a pipe or a device would."""

import signal
from contextlib import contextmanager

SECONDS = 60


class Hung(BaseException):
    """Raised in what has not ended in time; no handler of ordinary exceptions takes it for another error."""


@contextmanager
def ended_if_it_hangs(seconds=SECONDS):
    """Raises `Hung` in the block after this time."""

    def stop(*_):
        raise Hung(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
