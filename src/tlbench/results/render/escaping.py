"""Escapes all displayed strings of plugins, records and files, for terminals, Markdown and spreadsheets.

A name may contain escape sequences, markup or a formula, which a terminal, a Markdown page or a spreadsheet would
interpret. `printable` removes all invisible characters; the function of each format then escapes its special
characters.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

LIMIT = 500
"""Maximum number of characters shown of one string."""

ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # control sequences: colours, moves of the cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # links, titles, device strings
    r"|\x1b[ -/]*[0-~]"
)
_SEPARATORS = {"Zl", "Zp", "Zs"}
# Private (Co) and unassigned (Cn) characters too: what fonts and terminals show for them is unpredictable.
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}
_FORMULA = re.compile(r"[=+\-@\t\r\n|%\uff1d\uff0b\uff0d\uff20]")
_MOST_MARKS = 3
_MARKDOWN = r"(?:[\\`*_\[\]<>&|~@#$]|:\w+:|://|www\.)"
# A "-" or "1." is a list item, and "---" a heading or a rule, only at the beginning of a line.
_MARKDOWN_WORDS = re.compile(rf"\S*{_MARKDOWN}\S*(?: \S*{_MARKDOWN}\S*)*|^(?:[-+]\S*|\d+[.)])(?= |$)|^[-=]+$")


def printable(value: object, limit: int = LIMIT) -> str:
    """Returns the value as one line of visible characters.

    Removes escape sequences, control characters, format characters (such as bidirectional marks), and private-use and
    unassigned characters. Turns each run of white space into one space, keeps at most three combining marks per letter,
    and cuts the text at `limit`.
    """
    text = str(value)
    # The usual case, which a table needs thousands of times.
    if len(text) <= limit and text.isascii() and text.isprintable():
        return " ".join(text.split())
    # Cut before the scan, so that a name of a million characters is not scanned.
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
    """Returns whether a character is invisible or ends a line."""
    category = unicodedata.category(character)
    return category in _INVISIBLE or category in {"Zl", "Zp"}


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
    text = printable(value, limit)
    return f"'{text}" if _FORMULA.match(text) else text
