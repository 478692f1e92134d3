"""The navigation of the site: sections of pages by patterns, so that a new page finds its place by itself."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch

SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Start",
        (
            "index.md", "start.md", "installing*.md", "concepts.md", "choosing.md", "examples/README.md",
            "questions.md",
        ),
    ),
    (
        "How to",
        (
            "howto/find.md", "howto/own-data.md", "howto/dirty-data.md", "howto/few-labels.md", "howto/imbalance.md",
            "dense*.md", "howto/gpu.md", "clusters*.md", "clusters/*.md", "nightly.md", "howto/use-the-winner.md",
            "howto/compare.md", "howto/leaderboards.md", "python.md", "howto/add-*.md", "plugins.md",
            "submissions*.md", "howto/*.md",
        ),
    ),
    (
        "Understand",
        ("statistics.md", "measuring.md", "strategies.md", "comparison.md", "reliability*.md", "security*.md"),
    ),
    ("Reference", ("reference/*.md", "json.md")),
    ("Results", ("leaderboards/README.md", "leaderboards/*.md")),
    ("Plugins", ("plugins/*.md",)),
    (
        "Project",
        (
            "tour.md", "CONTRIBUTING.md", "CHANGELOG.md", "versioning*.md", "releasing*.md", "licences*.md",
            "github/*.md",             "decisions/README.md", "*.md",
        ),
    ),
)  # fmt: skip
"""The sections in order, each with patterns of pages. A page belongs to the first pattern that it fits."""
_FALLBACK = "*.md"
UNLISTED = ("decisions/2*.md", "benchmarks/*", "files/*")
"""Pages that others link to and that the navigation leaves out."""


_BOOSTS = (("howto/*", 3.0), ("decisions/*", 0.2), ("benchmarks/*", 0.2), ("leaderboards/*", 0.2), ("files/*", 0.1))
_FOR_DEVELOPERS = ("tour.md", "CHANGELOG.md", "CONTRIBUTING.md")


def search_boost(page: str) -> float:
    """Returns the factor by which the search ranks a page: pages for users come before those for developers."""
    if page in _FOR_DEVELOPERS:
        return 0.2
    return next((boost for pattern, boost in _BOOSTS if fnmatch(page, pattern)), 2.0)


def navigation(pages: Iterable[str]) -> list[dict[str, list[str]]]:
    """Returns the sections that have pages, in the form of mkdocs' `nav`, given the paths of all pages."""
    left = sorted(page for page in pages if not any(fnmatch(page, pattern) for pattern in UNLISTED))
    named = [pattern for _, patterns in SECTIONS for pattern in patterns if pattern != _FALLBACK]
    sections: list[dict[str, list[str]]] = []
    for title, patterns in SECTIONS:
        taken: list[str] = []
        for pattern in patterns:
            elsewhere = named if pattern == _FALLBACK else ()
            found = [p for p in left if fnmatch(p, pattern) and not any(fnmatch(p, other) for other in elsewhere)]
            taken += found
            left = [page for page in left if page not in found]
        if taken:
            sections.append({title: taken})
    return sections
