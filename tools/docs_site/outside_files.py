"""What the pages of docs/ link to beyond docs/: other pages of the repository, folders, and files, which are copied."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = (
    "CHANGELOG.md", "CONTRIBUTING.md", "leaderboards/*.md", "benchmarks/README.md", "benchmarks/*/README.md",
    "plugins/*/README.md",
)  # fmt: skip
"""Pages outside docs/ that the site has, whether or not something links to them."""
_LINK = re.compile(r"(\]\(|<img src=\")([^)\s\"#:]+)(#[^)\s\"]*)?(?=[)\s\"])")
_FENCE = re.compile(r"^ *(```|~~~)")
_SHOWN_BY_BROWSERS = {".svg", ".png", ".jpg", ".md"}


def links(text: str) -> Iterator[str]:
    """Yields the targets of a page's links to files, without anchors."""
    for line, is_code in _lines(text):
        if not is_code:
            yield from (match[2] for match in _LINK.finditer(line))


def site_path(file: Path) -> str:
    """Returns the path within the site's sources of a file or folder of the repository."""
    if file.is_relative_to(DOCS):
        return file.relative_to(DOCS).as_posix()
    if file in {ROOT, ROOT / "README.md"}:
        return "index.md"
    # mkdocs leaves out what begins with a dot, such as .github.
    path = Path(*(part.lstrip(".") for part in file.relative_to(ROOT).parts))
    if file.is_dir():
        return site_path(file / "README.md") if (file / "README.md").is_file() else f"files/{path.as_posix()}/list.md"
    if path.parts[0] == "plugins" and path.parts[2:] == ("README.md",):
        return f"plugins/{path.parts[1]}.md"
    if file.suffix == ".md":
        return path.as_posix()
    # Browsers show a text and offer other endings, such as .toml, to be saved.
    return f"files/{path.as_posix()}" + ("" if file.suffix in _SHOWN_BY_BROWSERS else ".txt")


def outside() -> dict[str, Path]:
    """Returns the pages, folders and files beyond docs/ that the site needs, by their paths in it."""
    found: dict[str, Path] = {}
    waiting = [*DOCS.rglob("*.md"), *(file for pattern in PAGES for file in ROOT.glob(pattern))]
    seen: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        if file.is_dir() and (file / "README.md").is_file():
            waiting.append(file / "README.md")
            continue
        if not file.is_relative_to(DOCS) and site_path(file) != "index.md":
            found[site_path(file)] = file
        if file.is_dir():
            waiting += [one for one in file.iterdir() if listed(one)]
        elif file.suffix == ".md":
            waiting += [target for link in links(file.read_text("utf-8")) if (target := resolved(file, link))]
    return found


def listed(path: Path) -> bool:
    """Returns whether a folder's page names this file."""
    return path.is_file() and path.suffix in {".py", ".toml", ".md"} and not path.name.startswith(".")


def resolved(page: Path, link: str) -> Path | None:
    """Returns the file or folder of the repository that a page's link leads to, or None."""
    file = Path(os.path.normpath(page.parent / link))
    return file if file.exists() and file.is_relative_to(ROOT) else None


def folder_page(folder: Path) -> str:
    """Returns a page that lists a folder's files."""
    name = folder.relative_to(ROOT).as_posix()
    here = os.path.dirname(site_path(folder))
    files = [file for file in sorted(folder.iterdir()) if listed(file)]
    lines = [f"- [{file.name}]({os.path.relpath(site_path(file), here)})" for file in files]
    return "\n".join([f"# `{name}`", "", *lines, ""])


def relinked(text: str, page: Path, path: str) -> str:
    """Returns a page's text with its links leading to where the files are in the site.

    Args:
        text: The page in Markdown.
        page: The file that it comes from.
        path: Its path in the site.
    """

    def moved(match: re.Match[str]) -> str:
        target = resolved(page, match[2])
        if target is None:
            return match[0]
        return f"{match[1]}{os.path.relpath(site_path(target), os.path.dirname(path) or '.')}{match[3] or ''}"

    return "\n".join(line if is_code else _LINK.sub(moved, line) for line, is_code in _lines(text))


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Yields the lines of a page, each with whether it is in a fenced block."""
    is_code = False
    for line in text.splitlines():
        is_fence = bool(_FENCE.match(line))
        yield line, is_code or is_fence
        is_code ^= is_fence
