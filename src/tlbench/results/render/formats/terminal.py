"""The leaderboard for a terminal: a section for each task, as many columns as fit, and a summary over tasks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from tlbench.results.render.value_texts import NOTHING

if TYPE_CHECKING:
    from tlbench.results.render.page import Failure, Page, PageRow, Section

_SHORTEST_NAME = 8
_LONGEST_NAME = 32
_SHORTENED = "Of a long ranking the best are shown: --format csv has every row, --task more of one."
_RUNS = "trials\nx seeds"
_ALWAYS = ("rank", "backbone", "strategy", "score")
_IF_THEY_FIT = (
    "interval", "gain", "spread", "fit", "runs", "memory", "trained", "encode", "search", "accuracy", "f1",
    "device_memory", "predict",
)  # fmt: skip


class Leaderboard:
    """A renderable: every task's ranking, the summary over tasks, and what is needed to read them.

    Which columns are shown depends on the width that there is.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._columns = {column.name: column for column in page.columns}
        self._headings = {column.name: column.short for column in page.columns} | {"runs": _RUNS}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields the sections, no wider than the console."""
        page = self._page
        done, total = page.progress
        yield Text.assemble((page.title, "bold"), f"   {done} of {total} cells")
        if not any(section.lines for section in page.sections):
            yield Text("nothing is recorded yet")
            return
        layout = self._layout([line for section in page.sections for line in section.lines], options.max_width)
        for number, section in enumerate(page.sections):
            yield Text("")
            yield _section_title(section)
            yield self._section(section, layout, heading=number == 0)
            yield from _more(section.hidden)
            if section.overlap:
                yield Text(f"overlap: {section.overlap}", style="dim")
        if page.summary:
            yield Text("")
            yield Text("over all tasks", style="bold")
            yield _summary(page)
            yield from _more(page.summary_hidden)
        yield from _failures(page.failures)
        yield from _more(page.failures_hidden)
        yield Text("")
        for mark, note in page.notes:
            yield Text(f"({mark}) unlike most of this table: {note}", style="dim")
        for sentence in page.legend:
            yield Text(sentence, style="dim")
        if page.is_shortened:
            yield Text(_SHORTENED, style="dim")

    def _section(self, section: Section, layout: dict[str, int], heading: bool) -> Table:
        grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=heading, header_style="dim")
        for name, width in layout.items():
            is_name = name in self._columns and self._columns[name].is_name
            grid.add_column(
                Text(self._headings[name]),
                justify="left" if is_name or name == "rank" else "right",
                width=width,
                no_wrap=not is_name,
                overflow="fold" if is_name else "ellipsis",
                vertical="top",
            )
        for line in section.lines:
            style = "bold" if line.is_best else ""
            grid.add_row(*(Text(_text(line, name), style if name in _ALWAYS else "") for name in layout))
        return grid

    def _layout(self, lines: Sequence[PageRow], available: int) -> dict[str, int]:
        """Returns the columns that fit and their widths, in the order in which they are shown."""
        names = [name for column in self._columns for name in (("runs",) if column == "trials" else (column,))]
        names = [name for name in names if name in {*_ALWAYS, *_IF_THEY_FIT}]
        widths = {name: _width(self._headings[name], lines, name) for name in names}
        for name in ("backbone", "strategy"):
            widths[name] = min(max(widths[name], _SHORTEST_NAME), _LONGEST_NAME)
        chosen = set(_ALWAYS)
        free = available - sum(widths[name] + 1 for name in chosen) + 1
        # The longest names fold before anything else is narrowed.
        while free < 0 and max(widths["strategy"], widths["backbone"]) > _SHORTEST_NAME:
            widths["strategy" if widths["strategy"] >= widths["backbone"] else "backbone"] -= 1
            free += 1
        for name in _IF_THEY_FIT:
            if all(_text(line, name) == NOTHING for line in lines):
                continue
            if widths[name] + 1 > free:
                break
            chosen.add(name)
            free -= widths[name] + 1
        return {name: widths[name] for name in names if name in chosen}


def _text(line: PageRow, name: str) -> str:
    if name == "runs":
        trials = line.values["trials"].value
        return f"{NOTHING if trials is None else trials} x {line.values['seeds'].text}"
    value = line.values[name]
    return f"{value.text} ({value.note})" if value.note else value.text


def _width(heading: str, lines: Iterable[PageRow], name: str) -> int:
    """Returns how wide the heading and all lines make a column."""
    return max(cell_len(text) for text in [*heading.split("\n"), *(_text(line, name) for line in lines)])


def _section_title(section: Section) -> Text:
    about = ", ".join(part for part in (section.metric, section.examples, section.waiting) if part)
    return Text(section.task, "bold").append(f"   {about}", style="dim")


def _summary(page: Page) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for column in page.summary_columns:
        grid.add_column(
            Text(column.short),
            justify="left" if column.is_name else "right",
            no_wrap=not column.is_name,
            overflow="fold",
            max_width=_LONGEST_NAME if column.is_name else None,
        )
    for line in page.summary:
        style = "bold" if line.is_best else ""
        grid.add_row(*(Text(line.values[column.name].text, style) for column in page.summary_columns))
    return grid


def _failures(failures: Sequence[Failure]) -> Iterable[Text]:
    if failures:
        yield Text("")
        yield Text("without a score", style="bold")
    for failure in failures:
        yield Text(f"{failure.title}: {failure.status}: {failure.reason or 'no reason was recorded'}")


def _more(number: int) -> Iterable[Text]:
    if number > 0:
        yield Text(f"and {number:,} more", style="dim")
