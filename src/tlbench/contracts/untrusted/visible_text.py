"""Texts of plugins, records and files as one line of visible characters, without secrets."""

from __future__ import annotations

import re
import unicodedata

from tlbench.contracts.untrusted.redaction import without_secrets

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
_MOST_MARKS = 3


def printable(value: object, limit: int = LIMIT) -> str:
    """Returns the value as one line of visible characters without secrets, as `visible` and `without_secrets` do."""
    line = without_secrets(visible(value, 8 * limit))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def visible(value: object, limit: int = LIMIT) -> str:
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
