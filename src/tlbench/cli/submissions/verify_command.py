"""`tlbench verify`: the options of the command, and its report."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tlbench.cli import options as o
from tlbench.contracts.errors import UsageError
from tlbench.results.reading.default_folder import expanded
from tlbench.results.render.escaping import printable

if TYPE_CHECKING:
    from tlbench.running.verification.verify import Verified

_SHOWN = 50
"""Number of lines of each kind that are printed."""


def verify(
    path: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Submissions, folders of results or archives; only read.")
    ],
    rerun: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CELL",
            help="Fit the winner of a cell again here and compare; `all` for every cell. Repeatable.",
            show_default=False,
        ),
    ] = None,
    at_least: Annotated[
        str, typer.Option(metavar="TIER", help="Fail below this tier: self-reported, recomputed or re-run.")
    ] = "self-reported",
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Keep the tiers in a file of yours, for a site.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="Device of --rerun: auto, cpu, cuda or cuda:N.")] = "auto",
    read_files: Annotated[
        bool,
        typer.Option(
            "--read-files",
            help="Read files that names of tasks give, such as csv:reviews.csv. Look at the names first: whoever sent"
            " them chose them.",
        ),
    ] = False,
    data_root: o.DataRoot = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON (docs/json.md).")] = False,
) -> None:
    """Check results of others: every score is computed again.

    From the predictions and targets that were sent, and from the task's own data if this machine has them. Nothing that
    was sent is trusted. The exit status is 1 if anything is rejected; a line says what and why.
    """
    from tlbench.api.requested_plan import check_device
    from tlbench.catalog.catalog import Catalog
    from tlbench.results.submissions.submitted_files import submitted_files
    from tlbench.results.submissions.tiers import TIERS, add_tiers, lower
    from tlbench.running.verification.verify import verify as checked

    if at_least not in TIERS:
        raise UsageError(f"--at-least {at_least}: no such tier; give one of {', '.join(TIERS)}")
    check_device(device)
    o.set_data_root(data_root)
    catalog = Catalog.discover()
    outcomes: list[tuple[Path, Verified]] = []
    for one in map(expanded, path):
        with submitted_files(one) as files:
            outcomes.append((one, checked(files, catalog, tuple(rerun or ()), device, read_files, _progress)))
    if to is not None:
        add_tiers(expanded(to), {key: cell for _, found in outcomes for key, cell in found.tiers().items()})
    if json_:
        print(json.dumps({"format": 1, "submissions": [_as_json(one, found) for one, found in outcomes]}, indent=1))
    else:
        for one, found in outcomes:
            _report(one, found)
    low = [one for _, one in outcomes if one.tier is not None and lower(one.tier, at_least) != at_least]
    raise typer.Exit(0 if not low and all(found.is_accepted for _, found in outcomes) else 1)


def _progress(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)


def _report(path: Path, found: Verified) -> None:
    from tlbench.results.submissions.tiers import TIERS

    scored = [one for one in found.records if one.status == "ok" and not one.faults]
    print(printable(f"{path}: {len(found.records)} record{'' if len(found.records) == 1 else 's'}"))
    counts = Counter(one.tier for one in scored)
    for tier, meaning in TIERS.items():
        if counts[tier]:
            print(f"  {counts[tier]:>5} {tier}: {meaning}")
    if without := sum(one.status not in {"ok", ""} and not one.faults for one in found.records):
        print(f"  {without:>5} without a score")
    notes = Counter(note for one in found.records for note in one.notes)
    _lines("note", [f"{note}" + (f" ({number} records)" if number > 1 else "") for note, number in notes.items()])
    if found.ignored:
        names = ", ".join(found.ignored[:5])
        _lines("note", [f"not looked at, since they are no part of the results: {names}"])
    rejected = [f"{name}: {reason}" for name, reason in found.faults.items()]
    rejected += [f"{one.file}: {_titled(one.title)}{fault}" for one in found.records for fault in one.faults]
    _lines("rejected", rejected)


def _titled(title: str) -> str:
    return f"{title}: " if title else ""


def _lines(what: str, lines: list[str]) -> None:
    for line in lines[:_SHOWN]:
        print(f"{what}: {printable(line)}", file=sys.stderr if what == "rejected" else sys.stdout)
    if len(lines) > _SHOWN:
        print(f"{what}: and {len(lines) - _SHOWN} more", file=sys.stderr if what == "rejected" else sys.stdout)


def _as_json(path: Path, found: Verified) -> dict[str, Any]:
    return {
        "path": str(path),
        "name": found.name,
        "accepted": found.is_accepted,
        "tier": found.tier,
        "records": [
            {
                "cell": one.cell,
                "file": one.file,
                "title": one.title,
                "status": one.status,
                "tier": one.tier if one.status == "ok" and not one.faults else None,
                "rejected": one.faults,
                "notes": one.notes,
            }
            for one in found.records
        ],
        "rejected": [{"file": name, "reason": reason} for name, reason in found.faults.items()],
    }
