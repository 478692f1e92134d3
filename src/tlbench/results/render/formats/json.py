"""The leaderboard as JSON, for scripts: values in full precision beside the texts that people read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench.contracts.renderer import Renderer
from tlbench.results.render.escaping import is_invisible

if TYPE_CHECKING:
    from tlbench.results.render.page import Page, PageRow, Section
    from tlbench.results.render.page_columns import Column

FORMAT = 1
"""The version of what is written; raised when a reader of the old would be wrong."""
_ODD = re.compile(r"[\x7f-\U0010ffff]")


class Json(Renderer):
    """The page as one JSON object."""

    name: ClassVar[str] = "json"
    description: ClassVar[str] = "All that a leaderboard shows, as values and as texts."

    def render(self, page: Page) -> str:
        """Returns the page, with keys in a fixed order and no NaN."""
        done, total = page.progress
        whole = {
            "format": FORMAT,
            "title": page.title,
            "command": page.command,
            "cells_done": done,
            "cells_total": total,
            "columns": _headings(page.columns),
            "tasks": [_section(section) for section in page.sections],
            "summary_columns": _headings(page.summary_columns),
            "summary": [_values(line) for line in page.summary],
            "failures": [{"cell": one.title, "status": one.status, "reason": one.reason} for one in page.failures],
            "notes": dict(page.notes),
            "legend": list(page.legend),
        }
        return _shown(json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1)) + "\n"


def _shown(text: str) -> str:
    """Returns JSON with escapes in place of characters that no reader could see; only strings hold such."""
    return _ODD.sub(lambda odd: _escaped(odd[0]) if is_invisible(odd[0]) else odd[0], text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _headings(columns: Iterable[Column]) -> dict[str, str]:
    return {column.name: column.heading for column in columns}


def _section(section: Section) -> dict[str, Any]:
    return {
        "task": section.task,
        "metric": section.metric,
        "examples": section.examples,
        "overlap": section.overlap,
        "waiting": section.waiting,
        "rows": [
            {"cell": line.cell, "status": line.status, "is_best": line.is_best, "values": _values(line)}
            for line in section.lines
        ],
    }


def _values(line: PageRow) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "value": _plain(value.value),
            "text": value.text,
            **({"note": value.note} if value.note else {}),
        }
        for name, value in line.values.items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    # JSON has no number for these.
    return None if isinstance(value, float) and not math.isfinite(value) else value
