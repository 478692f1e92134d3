"""The code blocks of a page in Markdown, with their language and the mark of those that need more than a CPU."""

from __future__ import annotations

import re
from dataclasses import dataclass

LANGUAGES = frozenset({"sh", "python", "toml", "csv", "yaml", "text"})
"""Languages of blocks: commands, scripts, suites and projects, data, workflows, and what is shown and not run."""
MARKS = (
    "needs a GPU", "needs the network", "needs a cluster", "needs the repository", "needs an exported model",
    "needs optuna-dashboard", "needs copier and pytest", "needs results",
)  # fmt: skip
"""First lines of blocks, as comments, that a reader sees and tests skip: what such a block needs is not everywhere."""
_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w./-]+\.(?:py|toml|csv|yml))$")


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    line: int
    """Line of the page that the block begins on."""
    language: str
    text: str

    @property
    def first(self) -> str:
        """The first line without its comment sign and space."""
        return self.text.partition("\n")[0].strip().removeprefix("# ")

    @property
    def mark(self) -> str:
        """What the block needs, if tests cannot run it."""
        return next((mark for mark in MARKS if self.first.startswith(mark)), "")

    @property
    def file(self) -> str:
        """The name of the file that the block is the content of, as its first line says; empty if it is none."""
        found = _FILE.match(self.text.partition("\n")[0].strip())
        return found[1] if found else ""


def blocks_of(page: str) -> list[Block]:
    """Returns the fenced blocks of a page in order."""
    return [
        Block(page.count("\n", 0, found.start()) + 1, found[2], _dedented(found[3], len(found[1])))
        for found in _FENCE.finditer(page)
    ]


def indented_lines(page: str) -> list[int]:
    """Returns the numbers of lines that four spaces would make code of, outside fences and lists."""
    without = _FENCE.sub(lambda found: "\n" * found[0].count("\n"), page)
    lines = without.splitlines()
    found, in_list = [], False
    for number, line in enumerate(lines, 1):
        if re.match(r"([-*]|\d+\.) ", line):
            in_list = True
        elif line and not line.startswith(" "):
            in_list = False
        if line.startswith("    ") and not in_list and not lines[number - 2].strip():
            found.append(number)
    return found


def _dedented(text: str, spaces: int) -> str:
    return "\n".join(line[spaces:] if line[:spaces].isspace() else line for line in text.splitlines())
