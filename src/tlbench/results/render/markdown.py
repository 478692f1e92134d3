"""The leaderboard as GitHub Markdown: the same bytes on every rebuild from the same records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tlbench.results.columns import PENDING, Row, rows_of
from tlbench.results.leaderboard import progress
from tlbench.results.render import cells
from tlbench.results.render.cells import NOTHING
from tlbench.results.render.legend import legend
from tlbench.results.render.plain import code_span, printable
from tlbench.results.summary import summary

if TYPE_CHECKING:
    import pandas as pd

_NAMES = ("backbone", "strategy")

_COLUMNS: dict[str, Callable[[Row], str]] = {
    "rank": cells.place,
    "backbone": lambda row: code_span(row["backbone"]) or NOTHING,
    "strategy": lambda row: code_span(cells.strategy(row)),
    "score": cells.outcome,
    "95% interval": cells.interval,
    "± over seeds": cells.spread,
    "gain": cells.gain,
    "accuracy": lambda row: cells.points(row["accuracy"]),
    "F1": cells.f1,
    "trials": cells.trials,
    "seeds": cells.seeds,
    "encode": lambda row: cells.seconds(row["encode_seconds"]),
    "fit": lambda row: cells.seconds(row["fit_seconds"]),
    "search": lambda row: cells.seconds(row["search_seconds"]),
    "predict": lambda row: cells.seconds(row["predict_seconds"]),
    "memory": lambda row: cells.size(row["host_peak_bytes"]),
    "device memory": lambda row: cells.size(row["device_allocated_bytes"]),
    "tuned parameters": lambda row: cells.count(row["trainable_parameters"]),
}
_SUMMARY: dict[str, Callable[[Row], str]] = {
    "backbone": _COLUMNS["backbone"],
    "strategy": _COLUMNS["strategy"],
    "mean": lambda row: cells.points(row["mean"]),
    "mean rank": lambda row: NOTHING if row["rank"] is None else f"{row['rank']:.1f}",
    "wins": lambda row: f"{row['wins']}",
    "tasks": cells.coverage,
    "encode": lambda row: cells.seconds(row["encode_seconds"]),
    "fit": lambda row: cells.seconds(row["fit_seconds"]),
    "total": lambda row: cells.seconds(row["total_seconds"]),
}


def leaderboard(table: pd.DataFrame, title: str = "leaderboard", command: str = "", about: str = "") -> str:
    """Returns the page: a table for each task, the summary over tasks, and what is needed to read them.

    Args:
        table: What `tlbench.results.leaderboard.frame` returns.
        title: The heading.
        command: The command that makes this page, shown under the heading.
        about: A paragraph of Markdown, written by the caller and trusted.
    """
    rows = [row for row in rows_of(table) if row["status"] != PENDING]
    done, total = progress(table)
    parts = [f"# {code_span(title)}"]
    if command:
        parts.append(f"Made by {code_span(command)}: {done} of {total} cells.")
    else:
        parts.append(f"{done} of {total} cells.")
    parts += [about.strip()] if about.strip() else []
    tasks = cells.by_task(rows)
    if len(tasks) > 1:
        parts += ["## Over all tasks", _table(rows_of(summary(table)), _SUMMARY)]
    notes = cells.footnotes(rows)
    for task, part in tasks.items():
        scored = [text for text in (cells.metric_label(part), cells.examples(part)) if text]
        parts += [f"## {code_span(task)}", f"{', '.join(scored) or 'Nothing was scored'}."]
        parts.append(_table(part, _present(rows), notes))
        parts += [f"Overlap: {text}" for text in (cells.overlap(part),) if text]
    if failed := cells.failures(rows):
        parts += ["## Without a score", "\n".join(_failure(row) for row in failed)]
    parts.append("## How to read this")
    lines = [f"({mark}) unlike most of this table: {code_span(note)}." for note, mark in notes.items()]
    parts.append("\n".join(f"- {line}" for line in [*lines, *legend(rows)]))
    return "\n\n".join(parts) + "\n"


def _present(rows: Sequence[Row]) -> dict[str, Callable[[Row], str]]:
    """Returns the columns in which some row has something."""
    return {name: text for name, text in _COLUMNS.items() if any(text(row) != NOTHING for row in rows)}


def _table(rows: Sequence[Row], columns: dict[str, Callable[[Row], str]], notes: dict[str, str] | None = None) -> str:
    lines = [list(columns), ["---" if name in _NAMES else "---:" for name in columns]]
    for row in rows:
        best = row.get("rank") == 1 and row.get("status") == "ok"
        line = []
        for name, text in columns.items():
            cell = text(row) + (cells.marks(row, notes) if notes and name == "strategy" else "")
            line.append(f"**{cell}**" if best and name == "score" else cell)
        lines.append(line)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _failure(row: Row) -> str:
    title = f"{cells.backbone(row)} | {row['task']} | {cells.strategy(row)}"
    reason = code_span(printable(row["reason"], 200)) or "no reason was recorded"
    return f"- {code_span(title)}: {row['status']}: {reason}"
