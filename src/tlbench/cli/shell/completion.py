"""Completion of names at the prompt, in bash, zsh and fish. Imports nothing heavy, and never raises or prints."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TypeAlias

import typer

Complete: TypeAlias = Callable[[str], list[Any]]
OutFolder: TypeAlias = Callable[[Path | None], Path]
"""The function that returns the folder of results, given the option `--out`."""

_CELL_ID = re.compile(r"[0-9a-f]{1,16}")
_MAX_CELLS = 1000
"""Largest number of cells in a plan for which completion shows the cells' titles beside their ids."""


def complete_names(*kinds: str) -> Complete:
    """Returns a completion of the names of objects of some kinds, such as "backbone".

    It also completes `+NAME`, which adds to a suite, and the path in a name with a scheme, such as `csv:data/rev`.
    """

    def complete(incomplete: str) -> list[Any]:
        return _quietly(lambda: _names(kinds, incomplete))

    return complete


def complete_suite(incomplete: str) -> list[Any]:
    """Completes the name of a suite, or the path of a suite's file."""
    return _quietly(lambda: [*_names(("suite",), incomplete), *_paths(incomplete, ".toml")])


def complete_shown(out_folder: OutFolder) -> Callable[[typer.Context, str], list[Any]]:
    """Returns a completion of what `tlbench show` takes: a name of any kind, or the id of a recorded cell."""

    def complete(ctx: typer.Context, incomplete: str) -> list[Any]:
        names = _quietly(lambda: _names(("backbone", "task", "strategy", "suite"), incomplete))
        return [*names, *_quietly(lambda: _cells(_folder(ctx, out_folder), incomplete))]

    return complete


def complete_cell(out_folder: OutFolder) -> Callable[[typer.Context, str], list[Any]]:
    """Returns a completion of the ids of recorded cells."""

    def complete(ctx: typer.Context, incomplete: str) -> list[Any]:
        return _quietly(lambda: _cells(_folder(ctx, out_folder), incomplete))

    return complete


def complete_kind_of_output(incomplete: str) -> list[Any]:
    """Completes a kind of output that a task has."""

    def found() -> Iterator[str]:
        from tlbench.catalog.catalog import Catalog

        kinds = {entry.item.output.kind for entry in Catalog.discover().entries("task")}
        yield from sorted(kind for kind in kinds if kind.startswith(incomplete))

    return _quietly(found)


def _quietly(find: Callable[[], Any]) -> list[Any]:
    """Returns the completions that `find` yields, or none if it fails: a shell shows no error while completing."""
    logging.disable(logging.CRITICAL)
    try:
        # A plugin may print when it is imported, and the shell would take that for a name.
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return list(find())
    except (Exception, SystemExit):
        return []
    finally:
        logging.disable(logging.NOTSET)


def _names(kinds: tuple[str, ...], incomplete: str) -> list[str]:
    from tlbench.catalog.catalog import Catalog

    plus, start = ("+", incomplete[1:]) if incomplete.startswith("+") else ("", incomplete)
    scheme, colon, path = start.partition(":")
    if colon:
        return [f"{plus}{scheme}:{name}" for name in _paths(path)]
    catalog = Catalog.discover()
    names = {entry.name for kind in kinds for entry in catalog.entries(kind) if entry.name.startswith(start)}
    return [plus + name for name in sorted(names)]


def _paths(incomplete: str, suffix: str = "") -> list[str]:
    """Returns the paths that begin with `incomplete`: folders, with a final slash, and files with the suffix."""
    folder, _, start = incomplete.rpartition("/")
    prefix = incomplete[: len(incomplete) - len(start)]
    found = []
    for path in sorted(Path(f"{folder}/" if prefix else ".").expanduser().iterdir()):
        if path.name.startswith(start) and (start.startswith(".") or not path.name.startswith(".")):
            if path.is_dir():
                found.append(f"{prefix}{path.name}/")
            elif path.name.endswith(suffix):
                found.append(prefix + path.name)
    return found


def _folder(ctx: typer.Context, out_folder: OutFolder) -> Path:
    # While completing, click keeps options as text.
    out = ctx.params.get("out")
    return out_folder(Path(out) if out else None)


def _cells(folder: Path, incomplete: str) -> Iterator[Any]:
    from tlbench.results.records.store import Store

    if not _CELL_ID.fullmatch(incomplete or "0"):
        return
    store = Store.open(folder)
    plan = store.plan()
    titles = {cell.id: cell.title for cell in plan.cells} if plan and len(plan.cells) <= _MAX_CELLS else {}
    for cell_id in sorted(store.attempts()):
        if cell_id.startswith(incomplete):
            # The shell may evaluate the title, so replace all characters that have a meaning for it.
            title = re.sub(r"[^\w .,|@+=/-]", "_", titles.get(cell_id, ""), flags=re.ASCII)
            yield (cell_id, title) if title else cell_id
