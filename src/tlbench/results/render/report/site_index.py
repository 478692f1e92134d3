"""The index of a site of several leaderboards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlbench.results.render.report.board_page import leaders
from tlbench.results.render.report.templating import assets, render
from tlbench.results.render.report.tier_column import checked_text

if TYPE_CHECKING:
    from tlbench.results.render.page import Page


@dataclass(frozen=True)
class SiteEntry:
    """One leaderboard of the index."""

    name: str
    href: str = ""
    """Address of its page; empty if it has none."""
    remark: str = ""
    """Why it has no page."""
    progress: tuple[int, int] = (0, 0)
    leaders: tuple[dict[str, Any], ...] = ()
    """The first row of each task."""
    checked: str = ""
    """How many of its records were checked, and how far."""


def site_entry(page: Page, href: str) -> SiteEntry:
    """Returns the entry of a leaderboard whose page has this address."""
    checked = checked_text(page.view.tiers)
    return SiteEntry(page.title, href, progress=page.progress, leaders=tuple(leaders(page)), checked=checked)


def index_files(title: str, entries: Sequence[SiteEntry]) -> Iterator[tuple[str, bytes]]:
    """Yields the index of a site with its style sheet and script."""
    yield from assets()
    yield "index.html", render("index.html", title=title, entries=entries, home="", root="")
