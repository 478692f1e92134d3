"""The leaderboard as LaTeX tables for a paper, with the rules of the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from tlbench.contracts.renderer import Renderer
from tlbench.results.render.curves.efficiency_section import EFFICIENCY_HEADING
from tlbench.results.render.escaping import LIMIT, printable
from tlbench.results.render.page_columns import PageRow
from tlbench.results.render.published import HEADING, PUBLISHED
from tlbench.results.render.value_texts import note_head

if TYPE_CHECKING:
    from tlbench.results.render.page import Page
    from tlbench.results.render.page_columns import Column

_ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "`": r"\textasciigrave{}", '"': r"\textquotedbl{}",
    # After the end of a row these would be an option of the line break.
    "[": "{[}", "]": "{]}", "*": "{*}",
    "\u2013": "--", "\u00b1": r"$\pm$", "\u2264": r"$\le$", "\u2026": r"\ldots{}",
}  # fmt: skip
_PREAMBLE = r"% \usepackage[T1]{fontenc} \usepackage{booktabs}"
_SPECIAL = re.compile("|".join(map(re.escape, _ESCAPES)))


class Latex(Renderer):
    """A table for each task, and one of the means over tasks, as environments to paste into a paper."""

    name: ClassVar[str] = "latex"
    description: ClassVar[str] = "Tables for a paper, with booktabs."

    def render(self, page: Page) -> str:
        """Returns the page as LaTeX; it needs the packages booktabs and, in a preamble, `[T1]{fontenc}`."""
        parts = [
            "% \\usepackage[T1]{fontenc} \\usepackage{booktabs}",
            f"% {latex_text(page.title)}: {latex_text(page.command)}",
        ]
        parts += [_table(summary.heading, summary.lines, page.summary_columns) for summary in page.summaries]
        columns = [column for column in page.columns if column.name in page.filled]
        for section in page.sections:
            about = ", ".join(text for text in (section.metric, section.examples) if text)
            if section.lines:
                parts.append(_table(f"{section.task}: {about or 'nothing was scored'}", section.lines, columns))
            parts += [latex_text(text) for text in (section.detectable.text, *section.conclusions) if text]
        for one in page.label_efficiency:
            parts.append(_table(f"{EFFICIENCY_HEADING}: {one.task}: {one.metric}", one.lines, one.columns))
            parts += map(latex_text, one.sentences)
        if page.published:
            parts.append(_table(HEADING, [PageRow(row.values) for row in page.published], PUBLISHED))
            parts += [
                latex_text(f"[{row.number}] {row.setting}. {row.source}: {row.score.url}") for row in page.published
            ]
        for failure in page.failures:
            parts.append(latex_text(f"{failure.title}: {failure.status}: {failure.reason or 'no reason'}"))
        parts += [latex_text(f"({mark}) {note_head(note)}{note}.") for mark, note in page.notes]
        parts += [f"% {latex_text(sentence)}" for sentence in page.legend]
        return "\n\n".join(parts) + "\n"


def latex_text(value: object, limit: int = 4 * LIMIT) -> str:
    """Returns the value as LaTeX text in which no character is a command; hyphens in a row do not become a dash."""
    text = _SPECIAL.sub(lambda match: _ESCAPES[match[0]], printable(value, limit).replace("--", "-\0-"))
    return text.replace("\0", "{}").replace("''", "'{}'").replace("?'", "?{}'").replace("!'", "!{}'")


def _table(caption: str, lines: Sequence[PageRow], columns: Sequence[Column]) -> str:
    head = " & ".join(latex_text(column.heading) for column in columns)
    rows = [" & ".join(_cell(line, column) for column in columns) for line in lines]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex_text(caption)}}}",
            rf"\begin{{tabular}}{{{''.join('l' if column.is_name else 'r' for column in columns)}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *(rf"{row} \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _cell(line: PageRow, column: Column) -> str:
    value = line.values[column.name]
    text = latex_text(value.text) + (f" ({latex_text(value.note)})" if value.note else "")
    return rf"\textbf{{{text}}}" if line.is_best and column.name == "score" else text
