"""python -m tools.docs_site.references: writes docs/reference/. With --check, fails if a page is outdated."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.docs_site.references.api_page import api_page
from tools.docs_site.references.column_page import column_page
from tools.docs_site.references.command_page import command_page
from tools.docs_site.references.exit_page import exit_page
from tools.docs_site.references.hook_page import hook_page
from tools.docs_site.references.metric_page import metric_page
from tools.docs_site.references.suite_page import suite_page

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "reference"
REFERENCES: Mapping[str, Callable[[], str]] = {
    "commands.md": command_page,
    "suites.md": suite_page,
    "hooks.md": hook_page,
    "metrics.md": metric_page,
    "columns.md": column_page,
    "exit-status.md": exit_page,
    "api.md": api_page,
}
"""The function that makes each page."""
_NOTE = "<!-- Made of the code by `make reference`; edit the help texts and docstrings, not this page. -->"


def pages() -> dict[str, str]:
    """Returns the text of each page, by name."""
    return {name: f"{make().rstrip()}\n\n{_NOTE}\n" for name, make in REFERENCES.items()}


def outdated(folder: Path = FOLDER) -> list[str]:
    """Returns the names of the pages in a folder that differ from what the code says."""
    files = {name: folder / name for name in REFERENCES}
    return [
        name
        for name, text in pages().items()
        if not files[name].is_file() or files[name].read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Writes the pages or, with --check, compares them; returns the exit status."""
    if "--check" in arguments:
        names = outdated()
        print(f"Outdated: {', '.join(names)}: make reference" if names else "docs/reference is up to date.")
        return int(bool(names))
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
