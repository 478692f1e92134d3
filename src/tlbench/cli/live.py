"""The live view of a run: cells done, what each worker does, time left, the standings so far."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tlbench.contracts.record import Record
from tlbench.results.render.escaping import printable
from tlbench.running.cells.attempt import Attempt
from tlbench.running.dispatch import Progress

if TYPE_CHECKING:
    from rich.console import RenderableType


class Estimate:
    """How long the rest takes, from what finished cells took: per strategy where one finished, else on average."""

    def __init__(self, attempts: Sequence[Attempt], jobs: int) -> None:
        self._left = {one.cell.id: one.cell.strategy.name for one in attempts}
        self._jobs = max(1, jobs)
        self._took: dict[str, list[float]] = defaultdict(list)

    def add(self, record: Record) -> None:
        """Notes a finished cell."""
        self._left.pop(record.cell.id, None)
        self._took[record.cell.strategy.name].append(record.seconds.total)

    def seconds_left(self, running: Iterable[float] = ()) -> float | None:
        """Returns the seconds that the rest takes, less what the running cells (seconds so far) have had."""
        everything = [seconds for took in tuple(self._took.values()) for seconds in took]
        if not everything:
            return None
        average = sum(everything) / len(everything)
        cost = 0.0
        for strategy in tuple(self._left.values()):
            took = self._took.get(strategy)
            cost += sum(took) / len(took) if took else average
        # A cell that takes longer than others did is as good as unstarted, not done already.
        had = sum(seconds for seconds in running if seconds < average)
        return max(0.0, cost - had) / self._jobs


class LiveView:
    """A rich renderable, made anew at each refresh from what is in work and the records so far."""

    def __init__(self, title: str, total: int, done: int, attempts: Sequence[Attempt], jobs: int) -> None:
        self.title, self.total, self.done = title, total, done
        self.began = time.time()
        self.estimate = Estimate(attempts, jobs)
        self.workers: Callable[[], list[Progress]] = list
        """Returns the cells that are being worked on."""
        self.standings: RenderableType | None = None

    def add(self, record: Record) -> None:
        """Notes a finished cell."""
        self.done += 1
        self.estimate.add(record)

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        now = time.time()
        workers = self.workers()
        left = self.estimate.seconds_left(worker.since for worker in workers)
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text(printable(self.title), style="bold"),
            ProgressBar(total=max(1, self.total), completed=self.done, width=30),
            Text(f"{self.done} of {self.total} cells"),
            Text(f"{duration(now - self.began)} so far"),
            Text("" if left is None else f"about {duration(left)} left"),
        )
        busy = Table.grid(padding=(0, 2))
        for worker in workers:
            busy.add_row(
                Text("  ·"),
                Text(printable(worker.title), no_wrap=True, overflow="ellipsis"),
                Text(printable(worker.phase), style="dim"),
                Text(duration(worker.since), style="dim"),
            )
        if not workers:
            busy.add_row(Text("  · starting the workers", style="dim"))
        return Group(head, busy, *([Text(""), self.standings] if self.standings is not None else []))


def line(record: Record, done: int, total: int) -> str:
    """Returns one plain line about a finished cell, for where there is no terminal."""
    width = len(str(total))
    head = f"[{done:>{width}}/{total}] {printable(record.cell.title)}"
    if record.status != "ok":
        return f"{head}  {record.status}: {printable(record.reason)}"
    metric = record.metrics[0]
    whole = [score for score in record.scores if score.metric == metric and score.slice is None]
    value = sum(score.value for score in whole) / len(whole)
    seeds = f" over {len(whole)} seeds" if len(whole) > 1 else ""
    return f"{head}  {printable(metric)} {value:.3f}{seeds}  {duration(record.seconds.total)}"


def duration(seconds: float) -> str:
    """Returns seconds for people: 3.2 s, 4 min 05 s, 2 h 07 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
