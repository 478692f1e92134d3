"""llms.txt: the list of pages for language models, with each page's Markdown beside its HTML; and the decisions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_NO_PROSE = re.compile(r"\s*(?:[#|\-!<>\[]|```|\d+\.\s|\d{4}-\d\d-\d\d$|\s{4})")
"""The start of a paragraph that is a heading, a table, a list, a picture, code or a date."""
_LONGEST = 160
"""Most characters of a page's description."""


def title_of(text: str) -> str:
    """Returns a page's first heading, or an empty text."""
    found = _TITLE.search(text)
    return found[1].strip().replace("`", "") if found else ""


def description_of(text: str) -> str:
    """Returns the first sentence below a page's first heading, shortened; empty if there is no prose."""
    for paragraph in _TITLE.sub("", text, count=1).split("\n\n"):
        line = " ".join(paragraph.split())
        if line and not _NO_PROSE.match(paragraph):
            line = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", line)
            sentence = re.split(r"(?<=[.?!])\s", line, maxsplit=1)[0].rstrip(":")
            return sentence if len(sentence) <= _LONGEST else f"{sentence[:_LONGEST].rsplit(' ', 1)[0]} ..."
    return ""


def llms_text(name: str, about: str, nav: Sequence[Mapping[str, Iterable[str]]], texts: Mapping[str, str]) -> str:
    """Returns llms.txt (https://llmstxt.org): sections of links to pages in Markdown.

    Args:
        name: The name of the project.
        about: What it is, in a sentence.
        nav: The navigation: sections of pages.
        texts: The pages in Markdown, by path.
    """
    lines = [f"# {name}", "", f"> {about}"]
    for section in nav:
        for title, pages in section.items():
            lines += ["", f"## {title}", ""]
            for page in pages:
                described = description_of(texts[page])
                lines.append(f"- [{title_of(texts[page]) or page}]({page})" + (f": {described}" if described else ""))
    return "\n".join(lines) + "\n"


def decisions_list(folder: Path) -> str:
    """Returns links to the decisions of a folder, newest first."""
    files = sorted((file for file in folder.glob("2*.md")), reverse=True)
    return "\n\n" + "\n".join(
        f"- [{title_of(f.read_text('utf-8')) or f.stem}]({f.name}) ({f.name[:10]})" for f in files
    )
