"""Workers that have run out of cells help those that have not: they take fits that a cell has posted.

A run's workers share a folder. The owner of a cell calls for help there; the search and the record stay with it.
What is fitted does not depend on who fits it: every fit is seeded by its own order, and a study is asked for as many
settings at a time whether anybody helps or not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tlbench.contracts.executor import CellOrder

if TYPE_CHECKING:
    from tlbench.running.performer import Performer

PAUSE_SECONDS = 0.05
"""Between two looks for somebody to help."""


@dataclass(frozen=True)
class Crew:
    """The workers of one run, seen from one of them."""

    folder: Path
    slot: int

    @contextmanager
    def calling(self, order: CellOrder) -> Iterator[None]:
        """Lets idle workers take fits of this cell until the block ends."""
        temporary = self._call.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(order))
        temporary.replace(self._call)
        try:
            yield
        finally:
            self.hang_up()

    def hang_up(self) -> None:
        """Calls no more; a worker that died calling could not do so itself."""
        self._call.unlink(missing_ok=True)

    def calls(self) -> dict[str, CellOrder]:
        """Returns the cells whose owners take help, by work folder."""
        found = {}
        for path in sorted(self.folder.glob("call-*.json")):
            with suppress(FileNotFoundError):
                order = msgspec.json.decode(path.read_bytes(), type=CellOrder)
                found[order.work] = order
        return found

    @property
    def _call(self) -> Path:
        return self.folder / f"call-{self.slot}.json"

    @property
    def is_open(self) -> bool:
        """Whether the run still has cells to finish."""
        return (self.folder / "open").exists()


def open_crew(folder: Path) -> None:
    """Makes a folder a crew's; whoever helps, helps until `close_crew`."""
    (folder / "open").touch()


def close_crew(folder: Path) -> None:
    """Tells those who help that there is nothing left."""
    (folder / "open").unlink(missing_ok=True)


def help_others(crew: Crew, performer_of: Callable[[CellOrder], Performer]) -> None:
    """Takes fits of others' cells until the run has no more; returns then.

    Args:
        crew: Whom to help.
        performer_of: Makes what performs the fits of a cell in this process.
    """
    performers: dict[str, Performer] = {}
    left: set[str] = set()
    while crew.is_open:
        calls = crew.calls()
        left &= calls.keys()
        for work in [work for work in performers if work not in calls]:
            performers.pop(work).close()
        took = False
        for work, order in calls.items():
            if work in left or not os.path.isdir(work):
                continue
            try:
                if work not in performers:
                    performers[work] = performer_of(order)
                took |= _help(performers[work])
            except (Exception, SystemExit):
                # The owner meets and reports what goes wrong with a cell; who helps gives back what it held of it and
                # leaves it alone.
                left.add(work)
                if performer := performers.pop(work, None):
                    performer.close()
        if not took:
            time.sleep(PAUSE_SECONDS)


def _help(performer: Performer) -> bool:
    from tlbench.running.measure import metered

    open_orders = [order for order in performer.posts.orders() if not performer.is_done(order)]
    if not open_orders:
        return False
    performer.materials.bench.make_room(performer.materials.cell)
    with metered(performer.materials.bench.device) as usage:
        took = performer.take_one(open_orders)
    if took:
        performer.posts.note_memory(usage.memory)
        performer.work.hush()
    return took
