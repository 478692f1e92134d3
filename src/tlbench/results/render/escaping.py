"""Escapes strings of plugins, records and files for terminals, Markdown and spreadsheets; all that is shown.

A name may hold what a terminal, a Markdown page or a spreadsheet would take for a command. `printable` removes what no
reader could see; each format's own function then takes its own special characters for text.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

LIMIT = 500
"""How many characters of one string are shown."""

ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # control sequences: colours, moves of the cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # links, titles, device strings
    r"|\x1b[ -/]*[0-~]"
)
_SEPARATORS = {"Zl", "Zp", "Zs"}
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}
_FORMULA = re.compile(r"[=+\-@\t\r\n|%\uff1d\uff0b\uff0d\uff20]")
_MOST_MARKS = 3
_MARKDOWN = r"(?:[\\`*_\[\]<>&|~@#$]|:\w+:|://|www\.)"
# Of words that only a line's beginning makes a list or a rule, those at the beginning.
_MARKDOWN_WORDS = re.compile(rf"\S*{_MARKDOWN}\S*(?: \S*{_MARKDOWN}\S*)*|^(?:[-+]\S*|\d+[.)])(?= |$)|^[-=]+$")


def printable(value: object, limit: int = LIMIT) -> str:
    """Returns the value as one line of visible characters.

    Escape sequences, control, format (bidirectional marks among them) and unassigned characters are removed, any run of
    white space becomes one space, and more than three combining marks on a letter are cut.
    """
    text = str(value)
    if len(text) <= limit and text.isascii() and text.isprintable():
        return " ".join(text.split())
    # Before the scan, so that a name of a million characters costs nothing.
    text = ESCAPES.sub("", text[: 8 * limit])
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if character in "\t\n\r\v\f" or category in _SEPARATORS:
            kept.append(" ")
        elif category not in _INVISIBLE and marks <= _MOST_MARKS:
            kept.append(character)
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def is_invisible(character: str) -> bool:
    """Says whether no reader could see the character, or it would end a line."""
    category = unicodedata.category(character)
    return category in _INVISIBLE or category in {"Zl", "Zp"}


def plain_text(value: object, style: str = "") -> Text:
    """Returns rich text that is shown as it is written: brackets are no markup."""
    from rich.text import Text

    return Text(printable(value), style=style)


def markup(value: object) -> str:
    """Returns the value for use inside a string of rich's markup.

    A backslash before a bracket or at the end, where markup has no sure way to write one, becomes a set minus sign.
    """
    from rich.markup import escape

    return escape(re.sub(r"\\+(?=\[|$)", lambda run: "\u2216" * len(run[0]), printable(value)))


def code_span(value: object) -> str:
    """Returns the value as Markdown code, for a paragraph or a table: no HTML, link, mention or emphasis in it.

    Backticks become apostrophes: what ends a code span cannot be escaped inside it.
    """
    text = printable(value).replace("`", "'")
    # In a table a bar ends the cell unless a backslash stands before it, and not one that is itself escaped.
    text = re.sub(r"\\(?=\||$)", r"\\ ", text).replace("|", r"\|")
    return f"`{text}`" if text.strip() else ""


def markdown_text(value: object, limit: int = LIMIT) -> str:
    """Returns the value as Markdown text: words that Markdown would take for markup stand as code, others as they are.

    It may begin a paragraph or an item of a list.
    """
    return _MARKDOWN_WORDS.sub(lambda words: code_span(words[0]), printable(value, limit))


def spreadsheet(value: object) -> str:
    """Returns the value as a cell that no spreadsheet takes for a formula: an apostrophe stands before one."""
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text) else text
