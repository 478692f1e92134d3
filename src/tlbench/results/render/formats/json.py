"""The leaderboard as JSON: values in full precision, and the texts that other formats show."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench.contracts.renderer import Renderer
from tlbench.results.render.escaping import is_invisible

if TYPE_CHECKING:
    from tlbench.results.label_efficiency.curves import LearningCurve
    from tlbench.results.render.curves.efficiency_section import EfficiencySection
    from tlbench.results.render.page import Page, Section
    from tlbench.results.render.page_columns import Column, PageRow
    from tlbench.results.render.published import PublishedRow

FORMAT = 2
"""Version of the JSON layout, which is increased by changes that break existing readers."""
_ODD = re.compile(r"[\x7f-\U0010ffff]")


class Json(Renderer):
    """The page as one JSON object."""

    name: ClassVar[str] = "json"
    description: ClassVar[str] = "All that a leaderboard shows, as values and as texts."

    def render(self, page: Page) -> str:
        """Returns the page as one object, with keys in a fixed order and null for NaN."""
        done, total = page.progress
        content = {
            "format": FORMAT,
            "title": page.title,
            "command": page.command,
            "cells_done": done,
            "cells_total": total,
            "columns": _headings(page.columns),
            "tasks": [_section(section) for section in page.sections],
            "summary_columns": _headings(page.summary_columns),
            "summaries": [
                {"tasks": list(summary.tasks), "rows": [_values(line) for line in summary.lines]}
                for summary in page.summaries
            ],
            "label_efficiency": [_label_efficiency(section) for section in page.label_efficiency],
            "published": [_published(row) for row in page.published],
            "failures": [{"cell": one.title, "status": one.status, "reason": one.reason} for one in page.failures],
            "notes": dict(page.notes),
            "legend": list(page.legend),
        }
        return _escape_invisible(json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)) + "\n"


def _escape_invisible(text: str) -> str:
    """Returns JSON text in which escape sequences replace invisible characters."""
    # Only strings can contain such characters, so the structure of the JSON stays as it is.
    return _ODD.sub(lambda odd: _escape(odd[0]) if is_invisible(odd[0]) else odd[0], text)


def _escape(character: str) -> str:
    # JSON escapes are UTF-16 code units: characters beyond U+FFFF need two. A lone surrogate stays one.
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
        "detectable": {"value": _json_value(section.detectable.value), "text": section.detectable.text},
        "conclusions": list(section.conclusions),
        "waiting": section.waiting,
        "rows": [
            {"cell": line.cell, "status": line.status, "is_best": line.is_best, "values": _values(line)}
            for line in section.lines
        ],
    }


def _label_efficiency(section: EfficiencySection) -> dict[str, Any]:
    return {
        "task": section.task,
        "metric": section.metric,
        "curves": [
            {**_names(curve), "points": [one._asdict() for one in curve.points]} for curve in section.curves.curves
        ],
        "saved": [
            {
                **_names(one.curve),
                "reference": _names(one.reference),
                "equal_scores": [
                    {
                        "examples": score.examples,
                        "needed": score.needed._asdict(),
                        "low": score.low._asdict(),
                        "high": score.high._asdict(),
                        "is_told_apart": score.is_told_apart,
                    }
                    for score in one.scores
                ],
            }
            for one in section.saved
        ],
        "sentences": list(section.sentences),
    }


def _names(curve: LearningCurve) -> dict[str, str]:
    return {"backbone": curve.backbone, "strategy": curve.strategy, "variant": curve.variant}


def _published(row: PublishedRow) -> dict[str, Any]:
    return {
        "cell": row.cell,
        "setting": row.setting,
        "differs": row.differs,
        "source": row.source,
        "url": row.score.url,
        "std": row.score.std,
        "stderr": row.score.stderr,
        "values": _values(row),
    }


def _values(line: PageRow | PublishedRow) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "value": _json_value(value.value),
            "text": value.text,
            **({"note": value.note} if value.note else {}),
        }
        for name, value in line.values.items()
    }


def _json_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json_value(part) for part in value]
    # JSON has no NaN and no infinity.
    return None if isinstance(value, float) and not math.isfinite(value) else value
