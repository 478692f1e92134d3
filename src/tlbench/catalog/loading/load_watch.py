"""The seconds that each plugin takes to load, and the heavy libraries that it loads with it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

HEAVY = ("torch", "transformers", "timm", "optuna", "evaluate", "datasets", "peft", "sklearn")
"""Libraries that take seconds to import, which no plugin may import before they are needed."""


@dataclass(frozen=True)
class Load:
    """What loading one plugin took: importing its module and calling the hooks that list objects."""

    seconds: float = 0.0
    """Modules that another plugin has imported before cost nothing."""
    heavy: tuple[str, ...] = ()
    """The heavy libraries that were imported meanwhile."""


class LoadWatch:
    """Measures the loading of plugins, by the title of the plugin."""

    def __init__(self) -> None:
        self.loads: dict[str, Load] = {}

    @contextmanager
    def watch(self, title: str) -> Iterator[None]:
        """Adds what happens in the block to the plugin's load."""
        before, began = _loaded(), time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            load = self.loads.get(title, Load())
            heavy = (*load.heavy, *sorted(_loaded() - before))
            self.loads[title] = Load(load.seconds + seconds, heavy)


def _loaded() -> set[str]:
    return {name for name in HEAVY if name in sys.modules}
