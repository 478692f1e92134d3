"""Where the time of a fit goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tlbench.modeling.activations import Activations
from tlbench.running.measure import Stopwatch


class Watches:
    """Where the time of a fit goes; what is nested (set-up, scoring, encoding) is taken out of what encloses it."""

    def __init__(self, activations: Activations) -> None:
        self._activations = activations
        self.fit, self.setup, self.validate = Stopwatch(), Stopwatch(), Stopwatch()
        self.once: dict[tuple[int, str], float] = {}
        """What each thing that was made once, now or before, took to make."""
        self._nested = [0.0]

    @contextmanager
    def charging(self, watch: Stopwatch) -> Iterator[None]:
        """Adds the time of the block, without what it encoded and what was charged within it."""
        block = Stopwatch()
        self._nested.append(0.0)
        try:
            with self._activations.metering() as usage, block.running():
                yield
        finally:
            within = self._nested.pop()
            self._nested[-1] += block.seconds - usage.encode_paid_seconds
            watch.seconds += max(0.0, block.seconds - usage.encode_paid_seconds - within)
