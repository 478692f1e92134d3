"""Calls a function at intervals in a thread, while something else runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def called_every(seconds: float, action: Callable[[], object], thread_name: str) -> Iterator[None]:
    """Calls `action` every so many seconds while the block runs; once the block has ended it is not called again.

    The first call comes after the first interval. An exception of `action` ends the calls, not the block.
    """
    ended = threading.Event()

    def call() -> None:
        while not ended.wait(seconds):
            action()

    thread = threading.Thread(target=call, name=thread_name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
