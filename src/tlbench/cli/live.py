"""The live view of a run: finished cells, the work of each worker, the time left, and the standings so far."""

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
    """Estimates the time left from the mean time of finished cells, of the same strategy if there are any."""

    def __init__(self, attempts: Sequence[Attempt], jobs: int) -> None:
        self._strategies_left = {attempt.cell.id: attempt.cell.strategy.name for attempt in attempts}
        self._jobs = max(1, jobs)
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def add(self, record: Record) -> None:
        """Counts a finished cell."""
        self._strategies_left.pop(record.cell.id, None)
        self._seconds[record.cell.strategy.name].append(record.seconds.total)

    def seconds_left(self, running: Iterable[float] = ()) -> float | None:
        """Returns the estimated seconds until all cells are finished; None until the first cell is finished.

        Args:
            running: Seconds since each of the running cells began.
        """
        # The refreshing thread of rich calls this while records are added: tuples are copied in one step.
        finished = [seconds for of_strategy in tuple(self._seconds.values()) for seconds in of_strategy]
        if not finished:
            return None
        average = sum(finished) / len(finished)
        cost = 0.0
        for strategy in tuple(self._strategies_left.values()):
            of_strategy = self._seconds.get(strategy)
            cost += sum(of_strategy) / len(of_strategy) if of_strategy else average
        # Of a cell that has run longer than the average the rest is unknown: counted as a whole cell, not as finished.
        spent = sum(seconds for seconds in running if seconds < average)
        return max(0.0, cost - spent) / self._jobs


class LiveView:
    """A rich renderable of the run, built anew at each refresh from the current orders and records."""

    def __init__(self, title: str, total: int, done: int, attempts: Sequence[Attempt], jobs: int) -> None:
        self.title, self.total, self.done = title, total, done
        self.began = time.monotonic()
        self.estimate = Estimate(attempts, jobs)
        self.workers: Callable[[], list[Progress]] = list
        """Returns the cells that workers are fitting; the dispatcher replaces it when it starts."""
        self.standings: RenderableType | None = None
        """The standings so far, which are shown below the workers; None before the first record."""

    def add(self, record: Record) -> None:
        """Counts a finished cell."""
        self.done += 1
        self.estimate.add(record)

    def __rich__(self) -> RenderableType:
        # rich is imported here, since a run without a terminal does not need it.
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        now = time.monotonic()
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
    """Returns one line about a finished cell, for output that is not a terminal, such as a log file."""
    width = len(str(total))
    head = f"[{done:>{width}}/{total}] {printable(record.cell.title)}"
    if record.status != "ok":
        return f"{head}  {record.status}: {printable(record.reason)}"
    metric = record.metrics[0]
    # Slices of the test split have scores of the same metric.
    scores = [score for score in record.scores if score.metric == metric and score.slice is None]
    value = sum(score.value for score in scores) / len(scores)
    seeds = f" over {len(scores)} seeds" if len(scores) > 1 else ""
    return f"{head}  {printable(metric)} {value:.3f}{seeds}  {duration(record.seconds.total)}"


def duration(seconds: float) -> str:
    """Returns a duration in readable units: 3.2 s, 4 min 05 s, 2 h 07 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
