"""`tlbench cache`: what the cache on disk holds, and making room. Reads names and sizes of files alone."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from tlbench.contracts.errors import UsageError
from tlbench.modeling.disk import cache_folder as disk_folder
from tlbench.modeling.disk import cache_settings as settings
from tlbench.results.render.escaping import printable

app = typer.Typer(help="Look into the cache of activations and tokens, and make room.", rich_markup_mode=None)


@app.command()
def info() -> None:
    """Show where the cache is, how large it may grow, what is in it and when it was used."""
    folder, limit = settings.folder(), settings.limit_bytes()
    entries = disk_folder.entries(folder)
    print(f"folder     {printable(folder)}" + ("" if folder.is_dir() else " (not made yet)"))
    print(f"limit      {settings.size_text(limit) if limit else '0: switched off'}")
    print(f"entries    {len(entries)}, {settings.size_text(sum(entry.size_bytes for entry in entries))}")
    for kind in sorted({entry.kind for entry in entries}):
        sizes = [entry.size_bytes for entry in entries if entry.kind == kind]
        print(f"  {kind:<8} {len(sizes)}, {settings.size_text(sum(sizes))}")
    if entries:
        print(f"last used  between {_when(entries[0].used)} and {_when(entries[-1].used)}")


@app.command()
def prune(
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Remove what was last used longer ago: 30d, 12h.")
    ] = None,
    limit: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Remove the longest unused until the rest fits: 1GiB.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all of it.")] = False,
) -> None:
    """Remove what was not used for longest, down to the limit; nothing that a run has open is lost to it."""
    if everything and (older_than is not None or limit is not None):
        raise UsageError("--all removes everything: give it alone")
    folder = settings.folder()
    if limit is not None:
        bytes_left = settings.parse_size(limit, "--limit")
    elif everything:
        bytes_left = 0
    else:
        # a cache that is switched off keeps what it has, and an age alone is no size
        bytes_left = (settings.limit_bytes() if older_than is None else 0) or sys.maxsize
    since = None if older_than is None else time.time() - settings.parse_age(older_than, "--older-than")
    left_over = disk_folder.sweep(folder)
    freed = disk_folder.prune(folder, bytes_left, since)
    remaining = disk_folder.entries(folder)
    drafts = f" and {left_over.entries} unfinished" if left_over.entries else ""
    size = settings.size_text(freed.size_bytes + left_over.size_bytes)
    print(f"removed {_count(freed.entries)}{drafts}: {size} freed in {printable(folder)}")
    print(f"left: {_count(len(remaining))}, {settings.size_text(sum(entry.size_bytes for entry in remaining))}")


def _count(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries} entries"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
