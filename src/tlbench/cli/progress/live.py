"""The live view of a run in a terminal: finished cells, the work of each worker, the time left, and the standings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tlbench.cli.progress.run_texts import order_rows
from tlbench.results.render.escaping import printable
from tlbench.running.monitoring.run_status import RunStatus
from tlbench.running.monitoring.time_texts import duration, left_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

_MAX_WORKERS = 16
"""Number of workers that have a line of their own: a live view that is higher than the terminal cannot be redrawn."""


class LiveView:
    """A rich renderable of a run, rebuilt at each refresh from the status of the run."""

    def __init__(self, status: Callable[[], RunStatus]) -> None:
        self._status = status
        self.standings: RenderableType | None = None
        """The standings so far, which are shown below the workers; None before the first record."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # rich is imported here, since a run without a terminal does not need it.
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        status = self._status()
        counts = f"{status.done} of {status.total} cells"
        failed = f", {status.failed} failed" if status.failed else ""
        left = left_text(status)
        times = f"{duration(status.updated - status.began)} so far" + (f", {left}" if left else "")
        title, facts = printable(status.suite), f"{counts}{failed}  {times}"
        head = Table.grid(padding=(0, 2))
        bar = options.max_width - len(title) - len(facts) - 4
        # In a narrow terminal, the bar is shortened or left out, so that the numbers fit.
        cells = [Text(title, style="bold", no_wrap=True, overflow="ellipsis")]
        cells += [ProgressBar(max(1, status.total), status.done, width=min(30, bar))] if bar >= 8 else []  # type: ignore[list-item]
        head.add_row(*cells, Text(facts, no_wrap=True))
        yield head
        rows = order_rows(status, options.max_width)
        for line in rows[:_MAX_WORKERS]:
            yield Text(f"  {line}", no_wrap=True, overflow="crop")
        if len(rows) > _MAX_WORKERS:
            yield Text(f"  and {len(rows) - _MAX_WORKERS} more workers", style="dim")
        if not rows:
            yield Text("  starting the workers", style="dim")
        if self.standings is not None:
            yield Text("")
            yield self.standings
