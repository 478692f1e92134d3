"""The terminal's tables of scores at each number of training examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tlbench.results.render.curves.efficiency_section import EFFICIENCY_HEADING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tlbench.results.render.curves.efficiency_section import EfficiencySection

_MIN_NAMES, _MAX_NAME_WIDTH = 24, 32
"""The least width that the two columns of names take together, and the greatest of one."""


def efficiency_parts(sections: Sequence[EfficiencySection], available: int) -> Iterable[RenderableType]:
    """Yields, for each task, a heading, a table and the sentences on what is saved; nothing without sections."""
    for section in sections:
        yield Text("")
        title = Text(f"{EFFICIENCY_HEADING.lower()}: {section.task}", style="bold")
        yield title.append(f"   {section.metric}", style="dim")
        yield _grid(section, available)
        yield from (Text(sentence) for sentence in section.sentences)


def _grid(section: EfficiencySection, available: int) -> Table:
    sizes = [column.name for column in section.columns if not column.is_name]
    # A score and its interval may stand in two lines; where there is no room for that either, scores stand alone.
    widths = {name: max(len(part) for parts in _parts(section, name) for part in parts) for name in sizes}
    has_intervals = _MIN_NAMES + sum(width + 1 for width in widths.values()) <= available
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for column in section.columns:
        grid.add_column(
            Text(column.short),
            justify="left" if column.is_name else "right",
            min_width=widths[column.name] if has_intervals and not column.is_name else None,
            no_wrap=not has_intervals and not column.is_name,
            overflow="fold",
            max_width=_MAX_NAME_WIDTH if column.is_name else None,
        )
    for line in section.lines:
        texts = {column.name: line.values[column.name].text for column in section.columns}
        if not has_intervals:
            texts |= {name: texts[name].split(" ")[0] for name in sizes}
        grid.add_row(*map(Text, texts.values()))
    return grid


def _parts(section: EfficiencySection, name: str) -> list[list[str]]:
    """Returns the score and the interval of each row of a column."""
    return [line.values[name].text.split(" ") for line in section.lines]
