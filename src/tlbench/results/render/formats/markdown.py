"""The leaderboard as GitHub Markdown. Equal records give equal bytes, so a committed page can be checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from tlbench.contracts.renderer import Renderer
from tlbench.results.render.curves.efficiency_section import EFFICIENCY_HEADING
from tlbench.results.render.escaping import code_span, markdown_text
from tlbench.results.render.published import HEADING, PUBLISHED
from tlbench.results.render.value_texts import note_head

if TYPE_CHECKING:
    from tlbench.results.render.curves.efficiency_section import EfficiencySection
    from tlbench.results.render.page import Failure, Page, Section
    from tlbench.results.render.page_columns import Column, PageRow
    from tlbench.results.render.published import PublishedRow


class Markdown(Renderer):
    """A summary over tasks, a table for each task, failures, notes and a legend."""

    name: ClassVar[str] = "markdown"
    description: ClassVar[str] = "A page for GitHub."

    def render(self, page: Page) -> str:
        """Returns the page as Markdown."""
        done, total = page.progress
        source = f"Made by {code_span(page.command)}: " if page.command else ""
        parts = [f"# {code_span(page.title)}", f"{source}{done} of {total} cells."]
        # `about` is the caller's own Markdown, the only text that is not escaped.
        parts += [page.about] if page.about else []
        for summary in page.summaries:
            heading = markdown_text(summary.heading, len(summary.heading))
            parts += [f"## {heading}", _table(summary.lines, page.summary_columns)]
        # Columns without any value would make the tables needlessly wide.
        columns = [column for column in page.columns if column.name in page.filled]
        for section in page.sections:
            if section.lines:
                parts += _section(section, columns)
        parts += _label_efficiency(page.label_efficiency)
        parts += _published(page.published)
        if page.failures:
            parts += ["## Without a score", "\n".join(_failure(one) for one in page.failures)]
        # Sentences of the legend are cut by the page, so they need no further limit.
        legend = [markdown_text(sentence, len(sentence)) for sentence in page.legend]
        notes = [f"({mark}) {note_head(note)}{code_span(note)}." for mark, note in page.notes]
        parts += ["## How to read this", "\n".join(f"- {line}" for line in [*notes, *legend])]
        return "\n\n".join(parts) + "\n"


def _section(section: Section, columns: Sequence[Column]) -> list[str]:
    about = ", ".join(text for text in (markdown_text(section.metric), markdown_text(section.examples)) if text)
    parts = [f"## {code_span(section.task)}", f"{about or 'Nothing was scored'}.", _table(section.lines, columns)]
    parts += [section.detectable.text] if section.detectable.text else []
    parts += [markdown_text(sentence, len(sentence)) for sentence in section.conclusions]
    return parts + ([f"Overlap: {section.overlap}"] if section.overlap else [])


def _table(lines: Sequence[PageRow], columns: Sequence[Column]) -> str:
    table = _head(columns)
    table += [[_cell(line, column) for column in columns] for line in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in table)


def _head(columns: Sequence[Column]) -> list[list[str]]:
    return [[column.heading for column in columns], ["---" if column.is_name else "---:" for column in columns]]


def _cell(line: PageRow, column: Column) -> str:
    value = line.values[column.name]
    text = code_span(value.text) if column.is_name and value.value is not None else value.text
    text += f" ({value.note})" if value.note else ""
    return f"**{text}**" if line.is_best and column.name == "score" else text


def _label_efficiency(sections: Sequence[EfficiencySection]) -> list[str]:
    parts = [f"## {EFFICIENCY_HEADING}"] if sections else []
    for section in sections:
        parts += [f"### {code_span(section.task)}", f"{markdown_text(section.metric)}."]
        parts.append(_table(section.lines, section.columns))
        parts += ["\n".join(f"- {_text(sentence)}" for sentence in section.sentences)] if section.sentences else []
    return parts


def _published(rows: Sequence[PublishedRow]) -> list[str]:
    if not rows:
        return []
    lines = [f"| {' | '.join(_published_cell(row, column) for column in PUBLISHED)} |" for row in rows]
    head = ["| " + " | ".join(cells) + " |" for cells in _head(PUBLISHED)]
    # The address has no character that ends a link: `Url` in contracts/published.
    sources = [
        f"{row.number}. {_text(row.setting)}.{f' Ours: {_text(row.differs)}.' if row.differs else ''} "
        f"{_text(row.source)}: <{row.score.url}>"
        for row in rows
    ]
    return [f"## {HEADING}", "\n".join([*head, *lines]), "\n".join(sources)]


def _published_cell(row: PublishedRow, column: Column) -> str:
    value = row.values[column.name]
    if column.name == "source":
        return f"[{row.number}]({row.score.url})"
    if column.is_name:
        return code_span(value.text) if value.value is not None else value.text
    return markdown_text(value.text) if column.name == "metric" else value.text


def _text(text: str) -> str:
    return markdown_text(text, len(text))


def _failure(failure: Failure) -> str:
    reason = code_span(failure.reason) or "no reason was recorded"
    return f"- {code_span(failure.title)}: {failure.status}: {reason}"
