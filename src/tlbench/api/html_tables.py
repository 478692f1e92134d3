"""Leaderboards and answers of searches as HTML for notebooks: plain tables, in which no name is markup or a formula."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench.api.answer_facts import facts, setting_headings, setting_rows
from tlbench.finding.answering.answer import FindAnswer
from tlbench.results.render.report.templating import render
from tlbench.results.render.value_texts import note_head

if TYPE_CHECKING:
    from tlbench.results.render.page import Page, Section
    from tlbench.results.render.page_columns import Column, PageRow

_COLUMNS = (
    "rank", "backbone", "strategy", "score", "interval", "equal", "gain", "trials", "seeds", "fit", "search", "memory",
    "trained",
)  # fmt: skip
"""Columns of a ranking in a notebook, as far as they have a value; all stand in `frame()`."""
_NAMES = frozenset({"setting", "backbone", "strategy", "cell"})


@dataclass(frozen=True)
class NotebookTable:
    """A table with a heading."""

    heading: str
    about: str
    headings: Sequence[tuple[str, bool]]
    """The headings of the columns, and whether a column has names, which are aligned to the left."""
    rows: Sequence[tuple[Sequence[str], bool]]
    """The texts of each row, and whether no other row ranks higher."""
    sentences: Sequence[str] = ()


def board_html(page: Page) -> str:
    """Returns a leaderboard: the ranking of each task, the rows without a score, notes and legend."""
    chosen = page.columns if page.view.has_chosen_columns else [one for one in page.columns if one.name in _COLUMNS]
    columns = [column for column in chosen if column.name in page.filled]
    done, total = page.progress
    failures = [f"{one.title}: {one.status}: {one.reason or 'no reason was recorded'}" for one in page.failures]
    notes = [f"({mark}) {note_head(note)}{note}" for mark, note in page.notes]
    return _html(
        page.title,
        f"{done:,} of {total:,} cells",
        [_ranking(section, columns) for section in page.sections],
        without=failures,
        notes=[*notes, *page.legend],
    )


def answer_html(answer: FindAnswer) -> str:
    """Returns the answer of a search: its facts, and a table of the winner and what ties with it."""
    rows = [(row, number == 0) for number, row in enumerate(setting_rows(answer))]
    headings = [(name, name in _NAMES) for name in setting_headings(answer)]
    tables = [NotebookTable("", "", headings, rows)] if rows else []
    return _html(answer.request.task, f"{answer.request.minutes:g} minutes", tables, facts(answer))


def _html(
    title: str,
    lead: str,
    tables: Sequence[NotebookTable],
    pairs: Iterable[tuple[str, str]] = (),
    without: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> str:
    known = [(name, text) for name, text in pairs if text]
    content = render("notebook.html", title=title, lead=lead, tables=tables, facts=known, without=without, notes=notes)
    return content.decode()


def _ranking(section: Section, columns: Sequence[Column]) -> NotebookTable:
    about = ", ".join(text for text in (section.metric, section.examples, section.waiting) if text)
    hidden = [f"{section.hidden:,} more rows: frame() has them"] if section.hidden else []
    return NotebookTable(
        section.task,
        about or "nothing was scored",
        [*((column.heading, column.is_name) for column in columns), ("cell", True)],
        [(_texts(line, columns), line.is_best) for line in section.lines],
        [*hidden, *section.conclusions, *([section.detectable.text] if section.detectable.text else [])],
    )


def _texts(line: PageRow, columns: Sequence[Column]) -> list[str]:
    values = [line.values[column.name] for column in columns]
    return [*(f"{one.text} ({one.note})" if one.note else one.text for one in values), line.short_id]
