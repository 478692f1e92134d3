"""`tlbench merge`: the options of the command, and its report."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tlbench.results.reading.default_folder import expanded
from tlbench.results.render.escaping import printable

_SHOWN = 20
"""Number of conflicts that are printed one by one."""


def merge(
    folder: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Folders of results, which are only read.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder of the union: new, or one of results.")
    ],
    json_: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON (docs/json.md).")] = False,
) -> None:
    """Unite folders of results, such as those of several machines.

    Of records that differ for the same attempt at a cell, the first folder's is kept and the others are reported, with
    exit status 1. The same command goes on after an interruption.
    """
    from tlbench.results.merging.folder_union import merge as unite

    merged = unite([expanded(path) for path in folder], target := expanded(out))
    if json_:
        print(json.dumps(_as_json(merged, target), indent=1))
    else:
        for source, added in merged.added.items():
            print(printable(f"{source}: {added} added, {merged.present[source]} already there"))
        _report(
            "kept another", [f"{one.source}: {one.file}: {one.title}: {one.difference}" for one in merged.conflicts]
        )
        _report("left out", [f"{one.source}: {one.file}: {one.reason}" for one in merged.left_out])
        print(printable(f"{target}: `tlbench leaderboard --all --out {target}` shows the union"))
    raise typer.Exit(0 if merged.is_whole else 1)


def _report(what: str, lines: Sequence[str]) -> None:
    for line in lines[:_SHOWN]:
        print(printable(f"{what}: {line}"), file=sys.stderr)
    if len(lines) > _SHOWN:
        print(f"{what}: and {len(lines) - _SHOWN} more", file=sys.stderr)


def _as_json(merged: Any, target: Path) -> dict[str, Any]:
    return {
        "format": 1,
        "out": str(target),
        "sources": [
            {"folder": str(source), "added": added, "present": merged.present[source]}
            for source, added in merged.added.items()
        ],
        "conflicts": [
            {"folder": str(one.source), "file": one.file, "title": one.title, "difference": one.difference}
            for one in merged.conflicts
        ],
        "left_out": [{"folder": str(one.source), "file": one.file, "reason": one.reason} for one in merged.left_out],
    }
