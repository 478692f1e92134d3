"""Escapes all displayed strings of plugins, records and files, for terminals, Markdown and spreadsheets.

A name may contain escape sequences, markup or a formula, which a terminal, a Markdown page or a spreadsheet would
interpret. `printable` removes all invisible characters; the function of each format then escapes its special
characters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tlbench.contracts.untrusted.visible_text import ESCAPES, LIMIT, is_invisible, printable

if TYPE_CHECKING:
    from rich.text import Text

__all__ = [
    "ESCAPES",
    "LIMIT",
    "code_span",
    "is_invisible",
    "markdown_text",
    "no_formula",
    "plain_text",
    "printable",
    "spreadsheet",
]

_FORMULA = re.compile(r"[=+\-@\t\r\n|%\uff1d\uff0b\uff0d\uff20]")
_MARKDOWN = r"(?:[\\`*_\[\]<>&|~@#$]|:\w+:|://|www\.)"
# A "-" or "1." is a list item, and "---" a heading or a rule, only at the beginning of a line.
_MARKDOWN_WORDS = re.compile(rf"\S*{_MARKDOWN}\S*(?: \S*{_MARKDOWN}\S*)*|^(?:[-+]\S*|\d+[.)])(?= |$)|^[-=]+$")


def plain_text(value: object, style: str = "") -> Text:
    """Returns rich text in which brackets are not markup."""
    from rich.text import Text

    return Text(printable(value), style=style)


def code_span(value: object) -> str:
    """Returns the value as a Markdown code span, in which HTML, links, mentions and emphasis have no effect.

    The code span may be used in paragraphs and tables. Backticks become apostrophes, since code spans have no escape
    for them.
    """
    text = printable(value).replace("`", "'")
    # A bar ends a table cell unless it follows a backslash; a backslash of the name must not serve as that one.
    text = re.sub(r"\\(?=\||$)", r"\\ ", text).replace("|", r"\|")
    return f"`{text}`" if text.strip() else ""


def markdown_text(value: object, limit: int = LIMIT) -> str:
    """Returns the value as Markdown text, in which words that would be markup become code spans.

    The text may begin a paragraph or a list item.
    """
    return _MARKDOWN_WORDS.sub(_without_punctuation, printable(value, limit))


def _without_punctuation(words: re.Match[str]) -> str:
    """Returns words as a code span, with the punctuation of the sentence behind it."""
    name = words[0].rstrip(",.;:")
    return code_span(name) + words[0][len(name) :] if name else code_span(words[0])


def spreadsheet(value: object, limit: int = LIMIT) -> str:
    """Returns the value as a spreadsheet cell; an apostrophe before it keeps a formula from being evaluated."""
    return no_formula(printable(value, limit))


def no_formula(text: str) -> str:
    """Returns a text with an apostrophe before it if a spreadsheet would take it for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text
