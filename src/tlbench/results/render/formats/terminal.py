"""The leaderboard as a rich renderable for terminals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from tlbench.results.render.formats.efficiency_table import efficiency_parts
from tlbench.results.render.formats.published_table import published_parts
from tlbench.results.render.value_texts import NOTHING, note_head

if TYPE_CHECKING:
    from tlbench.results.render.page import Failure, Page, Section
    from tlbench.results.render.page_columns import Column, PageRow
    from tlbench.results.render.task_summary import TaskSummary

_MIN_NAME_WIDTH = 8
_MAX_NAME_WIDTH = 32
_SHORTENED = "Of a long ranking the best are shown: --format csv has every row, --task more of one."
_RUNS = "trials\nx seeds"
_REQUIRED = ("rank", "backbone", "strategy", "score")
_ID = "cell"
"""The column of ids, which no other format has as a column of its own."""
# Most important first: columns are added in this order until the width is used up.
_OPTIONAL = (
    "interval", "gain", "spread", _ID, "fit", "runs", "memory", "trained", "encode", "search", "accuracy", "f1",
    "device_memory", "predict", "gain_interval", "equal",
)  # fmt: skip


class Leaderboard:
    """A rich renderable with the ranking of each task, the summary over tasks, failures, notes and legend.

    The width of the console decides which columns are shown.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._columns = {column.name: column for column in page.columns}
        self._headings = {"runs": _RUNS, _ID: "cell"} | {column.name: column.short for column in page.columns}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields the parts of the leaderboard, no wider than the console."""
        page = self._page
        done, total = page.progress
        yield Text.assemble((page.title, "bold"), f"   {done} of {total} cells")
        if not any(section.lines for section in page.sections):
            yield Text("nothing is recorded yet")
            return
        # One layout for all sections, so that their columns align.
        layout = self._column_widths([line for section in page.sections for line in section.lines], options.max_width)
        for number, section in enumerate(page.sections):
            yield Text("")
            yield _section_title(section)
            yield self._section(section, layout, heading=number == 0)
            yield from _hidden_count(section.hidden)
            if section.detectable.text:
                yield Text(section.detectable.text, style="dim")
            yield from (Text(sentence, style="dim") for sentence in section.conclusions)
            if section.overlap:
                yield Text(f"overlap: {section.overlap}", style="dim")
        for summary in page.summaries:
            yield Text("")
            yield Text(summary.heading[0].lower() + summary.heading[1:], style="bold")
            yield _summary(summary, page.summary_columns)
            yield from _hidden_count(summary.hidden)
        yield from efficiency_parts(page.label_efficiency, options.max_width)
        yield from published_parts(page.published)
        yield from _failures(page.failures)
        yield from _hidden_count(page.failures_hidden)
        yield Text("")
        for mark, note in page.notes:
            yield Text(f"({mark}) {note_head(note)}{note}", style="dim")
        for sentence in page.legend:
            yield Text(sentence, style="dim")
        if page.is_shortened:
            yield Text(_SHORTENED, style="dim")
        if page.view.hint:
            yield Text(page.view.hint, style="dim")

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
            grid.add_row(*(Text(_text(line, name), style if name in _REQUIRED else "") for name in layout))
        return grid

    def _column_widths(self, lines: Sequence[PageRow], available: int) -> dict[str, int]:
        """Returns the widths of the columns that fit into the available width, in display order."""
        if self._page.view.has_chosen_columns:
            return self._folded({name: _width(self._headings[name], lines, name) for name in self._columns}, available)
        names = [name for column in self._columns for name in (("runs",) if column == "trials" else (column,))]
        names = [name for name in (*names, _ID) if name in {*_REQUIRED, *_OPTIONAL}]
        widths = {name: _width(self._headings[name], lines, name) for name in names}
        for name in ("backbone", "strategy"):
            widths[name] = min(max(widths[name], _MIN_NAME_WIDTH), _MAX_NAME_WIDTH)
        chosen = set(_REQUIRED)
        free = available - sum(widths[name] + 1 for name in chosen) + 1
        # Fold long names first: numbers cannot be folded.
        while free < 0 and max(widths["strategy"], widths["backbone"]) > _MIN_NAME_WIDTH:
            widths["strategy" if widths["strategy"] >= widths["backbone"] else "backbone"] -= 1
            free += 1
        for name in _OPTIONAL:
            if all(_text(line, name) == NOTHING for line in lines):
                continue
            # Stop rather than skip: a later, less important column must not replace an earlier one.
            if widths[name] + 1 > free:
                break
            chosen.add(name)
            free -= widths[name] + 1
        return {name: widths[name] for name in names if name in chosen}

    def _folded(self, widths: dict[str, int], available: int) -> dict[str, int]:
        """Returns the widths with those of names reduced, the widest first, until all columns fit, if they can."""
        names = [name for name in widths if self._columns[name].is_name and widths[name] > _MIN_NAME_WIDTH]
        while names and sum(widths.values()) + len(widths) - 1 > available:
            widest = max(names, key=widths.__getitem__)
            widths[widest] -= 1
            names = [name for name in names if widths[name] > _MIN_NAME_WIDTH]
        return widths


def _text(line: PageRow, name: str) -> str:
    if name == _ID and name not in line.values:
        return line.short_id
    if name == "runs":
        trials = line.values["trials"]
        return f"{NOTHING if trials.value is None else trials.text} x {line.values['seeds'].text}"
    value = line.values[name]
    return f"{value.text} ({value.note})" if value.note else value.text


def _width(heading: str, lines: Iterable[PageRow], name: str) -> int:
    """Returns the width of a column: that of the widest line of its heading or of its widest value."""
    return max(cell_len(text) for text in [*heading.split("\n"), *(_text(line, name) for line in lines)])


def _section_title(section: Section) -> Text:
    about = ", ".join(part for part in (section.metric, section.examples, section.waiting) if part)
    return Text(section.task, "bold").append(f"   {about}", style="dim")


def _summary(summary: TaskSummary, columns: Sequence[Column]) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        grid.add_column(
            Text(column.short),
            justify="left" if column.is_name else "right",
            no_wrap=not column.is_name,
            overflow="fold",
            max_width=_MAX_NAME_WIDTH if column.is_name else None,
        )
    for line in summary.lines:
        style = "bold" if line.is_best else ""
        grid.add_row(*(Text(line.values[column.name].text, style) for column in columns))
    return grid


def _failures(failures: Sequence[Failure]) -> Iterable[Text]:
    if failures:
        yield Text("")
        yield Text("without a score", style="bold")
    for failure in failures:
        yield Text(f"{failure.title}: {failure.status}: {failure.reason or 'no reason was recorded'}")


def _hidden_count(number: int) -> Iterable[Text]:
    if number > 0:
        yield Text(f"and {number:,} more", style="dim")
