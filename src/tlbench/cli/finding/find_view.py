"""Shows a search while it goes on: bars of candidates in a terminal, or a line for each fit elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tlbench.cli.shell.verbosity import is_quiet
from tlbench.contracts.metric import Metric
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.driver import Driver
from tlbench.finding.finals.finalists import Finalist
from tlbench.finding.find import Asked
from tlbench.finding.find_folder import StoredFit
from tlbench.results.render.escaping import printable
from tlbench.running.monitoring.time_texts import duration

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_MOST_ROWS = 14
"""Number of candidates in the live view: one that is higher than the terminal cannot be redrawn."""
_BAR = 8
_LENGTHS = {8: 1, 2: 4}
"""For a stopped fit, how many eighths of its bar are full."""


class SearchView:
    """What is known of a search, told by the search and read by whatever shows it."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self.metric: Metric = asked.catalog.metric(asked.task.item.metrics[0])
        self.driver: Driver | None = None
        self.final: str = ""
        """The finalist that is being fitted."""

    def begins(self, driver: Driver, task: str) -> None:
        """Takes the search that begins."""
        self.driver = driver

    def fitted(self, fit: StoredFit, entry: Entry) -> None:
        """Does nothing: the view reads the fits of the search."""

    def finals(self, finalist: Finalist, entry: Entry) -> None:
        """Takes the finalist that is being fitted."""
        seeds = len(finalist.seeds)
        self.final = f"{entry.title}: {seeds} {'seed' if seeds == 1 else 'seeds'} and the test split"

    def score_text(self, score: float) -> str:
        """Returns a score as tables show it."""
        return f"{score * self.metric.points:.2f}" if self.metric.in_points else f"{score:.4f}"

    @property
    def is_better_first(self) -> float:
        """1 where greater scores are better, else -1."""
        return 1.0 if self.metric.greater_is_better else -1.0


class LineView(SearchView):
    """Prints a line for each fit that has ended."""

    def begins(self, driver: Driver, task: str) -> None:
        """Prints what will be tried."""
        super().begins(driver, task)
        count, done = len(driver.setup.entries), len(driver.fits)
        before = f", {done} fits done before" if done else ""
        left = duration(max(0.0, driver.setup.seconds - driver.clock.elapsed), is_rough=True)
        steps = f", {driver.costs.steps} steps a fit" if driver.costs.steps else ""
        _print(f"{task}: {count} candidates{steps}{before}, {left} left")

    def fitted(self, fit: StoredFit, entry: Entry) -> None:
        """Prints a finished fit."""
        assert self.driver is not None
        _print(f"{duration(self.driver.clock.elapsed):>10}  {fit_text(fit, entry, self)}")

    def finals(self, finalist: Finalist, entry: Entry) -> None:
        """Prints a finalist that is about to be fitted."""
        super().finals(finalist, entry)
        assert self.driver is not None
        _print(f"{duration(self.driver.clock.elapsed):>10}  final: {printable(self.final)}")


class BarsView(SearchView):
    """A rich renderable of the search, rebuilt at each refresh."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        driver = self.driver
        if driver is None:
            yield Text("starting the workers", style="dim")
            return
        total, elapsed = driver.setup.seconds, driver.clock.elapsed
        left = duration(max(0.0, total - elapsed), is_rough=True)
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text(printable(self._asked.task.ref.name), style="bold", no_wrap=True, overflow="ellipsis"),
            ProgressBar(total, min(elapsed, total), width=max(8, min(30, options.max_width - 60))),
            Text(f"{left} left{self._best_text(driver)}", no_wrap=True),
        )
        yield head
        yield from self._rows(driver)
        if self.final:
            yield Text(f"  final fits: {printable(self.final)}", no_wrap=True, overflow="crop")

    def _rows(self, driver: Driver) -> RenderResult:
        from rich.table import Table
        from rich.text import Text

        now = {one.proposed.candidate: one for one in driver.running}
        rows = []
        for entry in driver.setup.entries:
            number = entry.candidate.number
            mine = [one for one in driver.fits if one.proposed.candidate == number]
            if mine:
                rows.append(
                    self._row(entry, mine, elapsed=driver.clock.elapsed - now[number].began if number in now else None)
                )
        rows.sort(key=lambda row: row[0])
        table = Table.grid(padding=(0, 2))
        for _, bar, name, score, what in rows[:_MOST_ROWS]:
            table.add_row("", Text(bar, style="cyan"), Text(name, no_wrap=True), Text(score), Text(what, style="dim"))
        yield table
        untried = len(driver.setup.entries) - len(rows)
        hidden = max(0, len(rows) - _MOST_ROWS)
        more = [f"{hidden} more"] if hidden else []
        more += [f"{untried} not tried yet"] if untried else []
        if more:
            yield Text(f"  {', '.join(more)}", style="dim")

    def _row(
        self, entry: Entry, fits: list[StoredFit], elapsed: float | None
    ) -> tuple[tuple[bool, float], str, str, str, str]:
        """Returns a sort key, the bar, the name, the best score and what is happening."""
        longest, best = 0, None
        for fit in fits:
            if fit.outcome is None or fit.outcome.score is None:
                continue
            full = _BAR if fit.outcome.ran_whole else _LENGTHS.get(fit.proposed.part or 0, 1)
            score = fit.outcome.score
            if full > longest or (full == longest and best is not None and self._is_better(score, best)):
                longest, best = full, score
        bar = "━" * longest + "·" * (_BAR - longest)
        what = "" if elapsed is None else f"{printable(fits[-1].proposed.reason) or 'fitting'}, {duration(elapsed)}"
        failed = next((one.outcome.status for one in fits if one.outcome and one.outcome.score is None), "")
        key = best is None, 0.0 if best is None else -self.is_better_first * best
        return key, bar, printable(entry.title), failed if best is None else self.score_text(best), what

    def _is_better(self, one: float, other: float) -> bool:
        return self.is_better_first * one > self.is_better_first * other

    def _best_text(self, driver: Driver) -> str:
        whole = [one.outcome.score for one in driver.fits if one.outcome and one.outcome.ran_whole]
        scores = [score for score in whole if score is not None]
        if not scores:
            return ""
        return f", best {self.metric.name} {self.score_text(max(scores, key=lambda one: self.is_better_first * one))}"


def fit_text(fit: StoredFit, entry: Entry, view: SearchView) -> str:
    """Returns a line about a finished fit: candidate, params, score and seconds."""
    outcome = fit.outcome
    assert outcome is not None
    params = ", ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in fit.proposed.params.items()
    )
    names = printable(f"{entry.title}{f' ({params})' if params else ''}")
    part = f" 1/{fit.proposed.part}" if fit.proposed.part and not outcome.ran_whole else ""
    if outcome.score is None:
        return f"{names}{part}  {outcome.status}: {printable(outcome.reason)}  {duration(outcome.seconds)}"
    constant = ", the same answer for all" if outcome.is_constant else ""
    score = f"{view.metric.name} {view.score_text(outcome.score)}{constant}"
    return f"{names}{part}  {score}  {duration(outcome.seconds)}"


@contextmanager
def shown(terminal: Console, asked: Asked, is_hidden: bool) -> Iterator[SearchView]:
    """Shows a search while the block runs; yields the object that the search reports its progress to."""
    if is_hidden or is_quiet():
        yield SearchView(asked)
    elif not terminal.is_terminal:
        yield LineView(asked)
    else:
        from rich.live import Live

        view = BarsView(asked)
        # Transient: the answer is printed in its place.
        with Live(view, console=terminal, refresh_per_second=4, transient=True):
            yield view


def _print(text: str) -> None:
    # Flushed, so that a log file shows how far the search is.
    print(text, flush=True)
