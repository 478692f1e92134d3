"""`tlbench cache`: shows and prunes the cache of activations and tokens, from the names and sizes of its files."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tlbench.cli.shell.command_group import CommandGroup
from tlbench.contracts.errors import UsageError
from tlbench.modeling.disk import cache_folder as disk_folder
from tlbench.modeling.disk import cache_settings as settings
from tlbench.results.render.escaping import printable
from tlbench.system.durable import write_durably

app = typer.Typer(
    cls=CommandGroup,
    help="Show, prune or limit the cache of activations and tokens.",
    rich_markup_mode=None,
)


_Json = Annotated[bool, typer.Option("--json", help="Print JSON (docs/json.md).")]


@app.command()
def info(json_: _Json = False) -> None:
    """Show the folder, size limit, entries and last use of the cache."""
    folder, limit = settings.folder(), _limit_text()
    entries = disk_folder.entries(folder)
    if json_:
        kinds = {
            kind: [one.size_bytes for one in entries if one.kind == kind] for kind in {one.kind for one in entries}
        }
        _print_json(
            folder=str(folder),
            **_limit(),
            kinds={kind: {"entries": len(sizes), "bytes": sum(sizes)} for kind, sizes in sorted(kinds.items())},
        )
        return
    # The folder is created by the first run that stores something, and not by looking at it.
    print(f"folder     {printable(folder)}" + ("" if folder.is_dir() else " (not created yet)"))
    print(f"limit      {limit}")
    print(f"entries    {len(entries)}, {settings.size_text(sum(entry.size_bytes for entry in entries))}")
    for kind in sorted({entry.kind for entry in entries}):
        sizes = [entry.size_bytes for entry in entries if entry.kind == kind]
        print(f"  {kind:<8} {len(sizes)}, {settings.size_text(sum(sizes))}")
    if entries:
        print(f"last used  between {_when(entries[0].used)} and {_when(entries[-1].used)}")


@app.command()
def prune(
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Remove entries last used longer ago than this: 30d, 12h.")
    ] = None,
    limit_: Annotated[
        str | None,
        typer.Option("--limit", metavar="SIZE", help="Remove the least recently used entries down to this size: 1GiB."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all entries.")] = False,
    json_: _Json = False,
) -> None:
    """Remove the least recently used entries.

    By default down to the size limit. It is safe during a run.
    """
    if everything and (older_than is not None or limit_ is not None):
        raise UsageError("--all removes everything: leave out --older-than and --limit")
    folder = settings.folder()
    if limit_ is not None:
        bytes_left = settings.parse_size(limit_, "--limit")
    elif everything:
        bytes_left = 0
    else:
        # sys.maxsize: remove nothing by size, with --older-than or with a limit of 0, which switches the cache off.
        bytes_left = (settings.limit_bytes() if older_than is None else 0) or sys.maxsize
    since = None if older_than is None else time.time() - settings.parse_age(older_than, "--older-than")
    # Removes files that a killed worker left half written; they are not entries, so `prune` would not see them.
    unfinished = disk_folder.sweep(folder)
    freed = disk_folder.prune(folder, bytes_left, since)
    remaining = disk_folder.entries(folder)
    if json_:
        _print_json(
            removed={"entries": freed.entries, "bytes": freed.size_bytes},
            unfinished={"entries": unfinished.entries, "bytes": unfinished.size_bytes},
            left={"entries": len(remaining), "bytes": sum(entry.size_bytes for entry in remaining)},
        )
        return
    unfinished_text = f" and {unfinished.entries} unfinished" if unfinished.entries else ""
    size = settings.size_text(freed.size_bytes + unfinished.size_bytes)
    print(f"removed {_count(freed.entries)}{unfinished_text}: {size} freed in {printable(folder)}")
    print(f"left: {_count(len(remaining))}, {settings.size_text(sum(entry.size_bytes for entry in remaining))}")


@app.command()
def limit(
    size: Annotated[str | None, typer.Argument(metavar="[SIZE]", help="Limit of all runs from now on: 20GiB.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Forget the limit that was set.")] = False,
    json_: _Json = False,
) -> None:
    """Show or set the size limit of the cache.

    It is kept in a file, for all runs of this user. A run that exceeds it removes the least recently used entries when
    it stores new ones. --cache-limit and $TLBENCH_CACHE_LIMIT set another limit for one run.
    """
    file = settings.limit_file()
    if size is not None and default:
        raise UsageError("give a size or --default, not both")
    if default:
        file.unlink(missing_ok=True)
    elif size is not None:
        settings.parse_size(size, "cache limit")
        file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(file, f"{size}\n".encode())
    if json_:
        _print_json(**_limit())
    else:
        print(_limit_text())
    if size is not None and os.environ.get(settings.LIMIT_VARIABLE):
        print(f"{printable(file)} has {printable(size)}, but ${settings.LIMIT_VARIABLE} comes first", file=sys.stderr)


def _print_json(**facts: Any) -> None:
    # In ASCII, so that nothing in a folder's name can act on a terminal.
    print(json.dumps({"format": 1, **facts}, indent=1))


def _limit() -> dict[str, Any]:
    """Returns the size limit in force in bytes, 0 if the cache is switched off, and where it is set."""
    return {"limit_bytes": settings.limit_bytes(), "limit_from": settings.configured_limit()[1] or "default"}


def _limit_text() -> str:
    """Returns the size limit in force and where it is set."""
    count, where = settings.limit_bytes(), settings.configured_limit()[1]
    size = settings.size_text(count) if count else "0: switched off"
    return f"{size} ({printable(where) or 'default'})"


def _count(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries} entries"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
