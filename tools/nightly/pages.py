"""The pages of a night: an HTML page with the history of all rows, and the text of an issue after a regression."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from tlbench.results.render.escaping import printable
from tools.nightly.history import History, drawing, shown
from tools.nightly.nights import Night

_FAILS = ("regression", "lost")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; padding: .2rem .7rem; border-bottom: 1px solid #ddd }
.bad { background: #fde3dc }
.scroll { overflow-x: auto }
svg { width: 100%; max-width: 860px; height: auto; display: block }
"""
_MOST_NIGHTS = 60
_BAD = '<tr class="bad">'


@dataclass(frozen=True)
class Comparison:
    """What `tlbench compare` said of a night."""

    before: str
    """Name of the earlier night's folder."""
    now: str
    content: dict[str, Any]
    """Its JSON."""
    text: str

    @property
    def regressions(self) -> list[dict[str, Any]]:
        """The rows that are worse, or that have no score any more."""
        return [row for row in self.content["comparisons"] if row["verdict"] in _FAILS]


def write_pages(site: Path, history: History, compared: Comparison | None, board: str) -> None:
    """Writes index.html, history.svg, leaderboard.md and, after a comparison, compare.json, compare.txt and issue.md.

    Args:
        site: The folder, which is made if it is missing.
        history: All nights; the last is the one that the pages are about.
        compared: Its comparison with an earlier night; None for the first one.
        board: Its leaderboard in Markdown.
    """
    site.mkdir(parents=True, exist_ok=True)
    chart = drawing(history)
    files = {"index.html": _page(history, compared, chart), "history.svg": chart, "leaderboard.md": board}
    if compared is not None:
        files |= {"compare.json": json.dumps(compared.content, indent=1) + "\n", "compare.txt": compared.text}
        if compared.regressions:
            files["issue.md"] = _issue(history.nights[-1], compared)
    for name in ("compare.json", "compare.txt", "issue.md"):
        (site / name).unlink(missing_ok=True)
    for name, content in files.items():
        (site / name).write_text(content, encoding="utf-8")


def _page(history: History, compared: Comparison | None, chart: str) -> str:
    night = history.nights[-1]
    links = ["leaderboard.md", "history.svg", *(["compare.txt", "compare.json"] if compared else [])]
    parts = [
        f"<h1>Night {night.number}: {_safe(night.finding.verdict)}</h1>",
        f"<p>{_safe(_summary(night))}</p>",
        "<p>" + " \u00b7 ".join(f'<a href="{link}">{link}</a>' for link in links) + "</p>",
        *([_comparison(compared)] if compared else []),
        "<h2>Scores over commits</h2>",
        "<p>Bars are 95% intervals. Rows of a task share a chart.</p>",
        chart,
        "<h2>Nights</h2>",
        _nights(history),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>tlbench: nightly</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n<body>\n'
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _summary(night: Night) -> str:
    finding = night.finding
    if not finding.against:
        return f"Commit {night.commit}. There was no good night before it to compare it with."
    rows = "row is" if finding.regressions == 1 else "rows are"
    return f"Commit {night.commit}: {finding.regressions} {rows} worse than in night {finding.against}."


def _comparison(compared: Comparison) -> str:
    bad = compared.regressions
    rows = [*bad, *(row for row in compared.content["comparisons"] if row not in bad)]
    lines = [(_row(row), row["verdict"] in _FAILS) for row in rows]
    heading = f"<h2>{_safe(compared.now)} beside {_safe(compared.before)}</h2>"
    return heading + "\n" + _table(("row", "before", "now", "difference", "p (Holm)", "verdict"), lines)


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    metric, difference = row["metric"], row["difference"]
    sides = (row["a"], row["b"])
    before, now = (shown(side["score"], metric) if side["score"] is not None else "no score" for side in sides)
    gap = "" if difference is None else f"{'+' if difference > 0 else ''}{shown(difference, metric)}"
    p = "" if row["corrected_p"] is None else f"{row['corrected_p']:.2g}"
    return row["name"], before, now, gap, p, row["verdict"]


def _nights(history: History) -> str:
    lines = []
    for night in history.nights[: -_MOST_NIGHTS - 1 : -1]:
        rows = sum(night.number in row.cells for row in history.rows)
        finding = night.finding
        texts = (str(night.number), night.commit, str(rows), str(finding.failed), finding.verdict, finding.against)
        lines.append((texts, finding.verdict == "regression"))
    return _table(("night", "commit", "rows", "without a score", "verdict", "compared with"), lines)


def _table(headings: Sequence[str], lines: Iterable[tuple[Sequence[str], bool]]) -> str:
    head = "".join(f"<th>{_safe(heading)}</th>" for heading in headings)
    body = "\n".join(
        f"{_BAD if is_bad else '<tr>'}{''.join(f'<td>{_safe(text)}</td>' for text in texts)}</tr>"
        for texts, is_bad in lines
    )
    return f'<div class="scroll"><table>\n<tr>{head}</tr>\n{body}\n</table></div>'


def _issue(night: Night, compared: Comparison) -> str:
    """Returns the text of an issue: names stand in an indented block, where Markdown has no markup."""
    lines = [" | ".join(_row(row)) for row in compared.regressions]
    return (
        f"{_summary(night)}\n\nRow, score before, score now, difference, p, verdict:\n\n"
        + "\n".join(f"    {printable(line, 400)}" for line in lines)
        + "\n\nThe artifact of the run has the whole comparison, the leaderboard and the history of each row."
        " If the loss is intended, run the workflow again with `accept`.\n"
    )


def _safe(text: str) -> str:
    return escape(printable(text, 200))
