"""The terminal's table of published scores beside ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tlbench.results.render.published import HEADING, PUBLISHED

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tlbench.results.render.published import PublishedRow

_BELOW = ("backbone", "strategy")


def published_parts(rows: Sequence[PublishedRow]) -> Iterable[RenderableType]:
    """Yields a heading, a table and a line for each source; nothing without rows."""
    if not rows:
        return
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    # A terminal is too narrow for all names: backbone and strategy stand in the lines below the table.
    columns = [column for column in PUBLISHED if column.name not in _BELOW]
    for column in columns:
        grid.add_column(
            Text(column.short),
            justify="left" if column.is_name or column.name == "metric" else "right",
            no_wrap=not column.is_name,
            overflow="fold",
        )
    for row in rows:
        grid.add_row(*(Text(row.values[column.name].text) for column in columns))
    yield Text("")
    yield Text(HEADING.lower(), style="bold")
    yield grid
    for row in rows:
        names = " | ".join(row.values[name].text for name in _BELOW)
        differs = f" Ours: {row.differs}." if row.differs else ""
        yield Text(f"[{row.number}] {names}. {row.setting}.{differs} {row.source}: {row.score.url}", style="dim")
