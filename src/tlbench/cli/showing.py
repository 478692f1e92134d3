"""`tlbench plan`, `list`, `show` and `version`: what there is, in tables that fit any terminal."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench.catalog.catalog import Catalog, Found
from tlbench.catalog.names import nearest, parameters, parse
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import AmbiguousName, StoreError, UnknownName
from tlbench.contracts.plan import Plan
from tlbench.contracts.record import Cell, Protocol, Record
from tlbench.results.render.plain import printable
from tlbench.results.store import Store

if TYPE_CHECKING:
    from rich.table import Table

_PLURALS = {
    "backbones": "backbone", "tasks": "task", "strategies": "strategy", "suites": "suite", "executors": "executor",
}  # fmt: skip
_LONG = 200


def print_plan(plan: Plan, out: Path, cells: bool = False) -> None:
    """Prints what a plan runs, which of it is done, and what is skipped; with `cells`, cell by cell."""
    done = _attempts(out)
    finished = [bool(done) and cell.id in done for cell in plan.cells]
    if cells:
        rows = [
            (cell.task.name, _backbone(cell), cell.strategy.name, cell.id, "done" if ready else "")
            for cell, ready in zip(plan.cells, finished, strict=True)
        ]
        _print_rows(("task", "backbone", "strategy", "cell", ""), rows)
    else:
        groups: dict[tuple[str, str, str], list[tuple[Cell, bool]]] = {}
        said = cache(protocol_text)
        for cell, ready in zip(plan.cells, finished, strict=True):
            groups.setdefault((_backbone(cell), cell.strategy.name, said(cell.protocol)), []).append((cell, ready))
        rows = [
            (
                backbone,
                strategy,
                _tasks([cell for cell, _ in group]),
                protocol,
                f"{sum(ready for _, ready in group)}/{len(group)}",
            )
            for (backbone, strategy, protocol), group in groups.items()
        ]
        _print_rows(("backbone", "strategy", "tasks", "protocol", "done"), rows)
    for skip in plan.skips:
        print(f"skipped: {printable(skip.title)}: {printable(skip.reason)}")
    print(f"{printable(plan.suite)}: {len(plan.cells)} cells, {sum(finished)} done, {len(plan.skips)} skipped")


def print_list(catalog: Catalog, kind: str) -> None:
    """Prints what the plugins bring, and which of them are broken."""
    for plural, singular in _PLURALS.items():
        if kind in {"all", plural}:
            rows = [(entry.name, _about(entry.item), _from(entry)) for entry in catalog.entries(singular)]
            _print_rows((plural, "", "from"), rows)
            if kind == "all":
                print()
    if kind == "plugins":
        _print_rows(("plugin", "version"), [(p.distribution, p.version) for p in catalog.plugins])
    for broken in catalog.broken:
        print(f"broken plugin: {printable(broken.plugin)}: {printable(broken.reason)}", file=sys.stderr)


def print_one(catalog: Catalog, name: str, out: Path) -> None:
    """Prints all that is known of one thing.

    Raises:
        UnknownName: There is nothing of this name.
    """
    if re.fullmatch(r"[0-9a-f]{16}", name):
        record = Store.open(out).record(name)
        if record is None:
            raise UnknownName(f"{out}: no record of the cell {name}")
        _print_record(record)
        return
    found = False
    for kind in ("backbone", "task", "strategy"):
        try:
            thing: Found[Any] = getattr(catalog, kind)(name)
        except AmbiguousName:
            raise
        except UnknownName:
            continue
        found = True
        _print_thing(kind, thing)
    if not found:
        kinds = ("backbone", "task", "strategy", "suite")
        names = [entry.name for kind in kinds for entry in catalog.entries(kind)]
        if name not in {entry.name for entry in catalog.entries("suite")}:
            raise UnknownName(f"unknown name {name!r}{nearest(parse(name)[0], names)}")
        print(catalog.suite(name).read_text(encoding="utf-8"))


def print_versions(catalog: Catalog) -> None:
    """Prints the versions of tlbench, Python and the plugins."""
    import platform

    from tlbench import __version__

    print(f"tlbench {__version__}, Python {platform.python_version()}")
    for plugin in catalog.plugins:
        if plugin.distribution != "tlbench":
            print(printable(f"  {plugin.distribution} {plugin.version}"))


def protocol_text(protocol: Protocol) -> str:
    """Returns a protocol in a few words."""
    parts = ["not searched" if protocol.trials == 1 else f"{protocol.trials} trials ({protocol.sampler})"]
    parts.append("1 seed" if len(protocol.seeds) == 1 else f"{len(protocol.seeds)} seeds")
    if protocol.max_steps:
        parts.append(f"{protocol.max_steps} steps")
    if protocol.epochs:
        parts.append(f"{protocol.epochs:g} epochs")
    if protocol.train_limit:
        parts.append(f"{protocol.train_limit} examples")
    if protocol.max_seconds:
        parts.append(f"at most {protocol.max_seconds:g} s")
    return ", ".join(parts)


def _print_thing(kind: str, found: Found[Any]) -> None:
    item = found.item
    rows = [(kind, found.ref.name), ("version", str(found.ref.version)), ("from", _from(found))]
    text = " ".join((item.__doc__ or "").split("\n\n")[0].split())
    rows += [("about", getattr(item, "description", "") or text)]
    for name in ("modality", "metrics", "slices", "source", "paper"):
        value = getattr(item, name, None)
        if value:
            rows.append((name, ", ".join(value) if isinstance(value, tuple) else str(value)))
    if kind == "task":
        rows.append(("output", str(item.output)))
    if kind == "backbone":
        card = dataclasses.asdict(item.card())
        rows += [(key.replace("_", " "), _number(value)) for key, value in card.items() if value not in (None, "")]
    settable = ", ".join(f"{key}={getattr(item, key)}" for key in sorted(parameters(item)))
    rows.append(("parameters", settable or "none"))
    _print(_table(("", ""), rows))


def _print_record(record: Record) -> None:
    rows = [("cell", record.cell.id), ("what", record.cell.title), ("protocol", protocol_text(record.cell.protocol))]
    rows += [("status", record.status), ("reason", record.reason)] if record.status != "ok" else []
    rows += [("best params", ", ".join(f"{k}={v}" for k, v in record.best_params.items()) or "-")]
    rows += [("validation", "-" if record.validation is None else f"{record.validation:.4f}")]
    for score in record.scores:
        where = f" on {score.slice}" if score.slice else ""
        rows.append((f"{score.metric}{where}", f"{score.value:.4f} [{score.low:.4f}, {score.high:.4f}]"
                     f"  n={score.n}  seed {score.seed}"))  # fmt: skip
    made = record.provenance
    rows.append(("trials", f"{len(record.trials)}, {sum(t.status != 'ok' for t in record.trials)} without a score"))
    rows.append(("test reads", str(record.test_reads)))
    rows.append(("made with", ", ".join(f"{k} {v}" for k, v in made.distributions.items())))
    rows.append(("on", f"{made.device}, {made.threads} threads, {made.precision}"))
    rows.append(("data", ", ".join(f"{k} {v}" for k, v in made.data.items())))
    _print(_table(("", ""), rows))
    if record.traceback:
        print("\n".join(printable(line, 2000) for line in record.traceback.splitlines()))


def _backbone(cell: Cell) -> str:
    return cell.backbone.name if cell.backbone else "-"


def _tasks(cells: Sequence[Cell]) -> str:
    names = [cell.task.name for cell in cells]
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:5])} and {len(names) - 5} more"


def _about(item: Any) -> str:
    if isinstance(item, Path):
        import tomllib

        try:
            return str(tomllib.loads(item.read_text(encoding="utf-8")).get("description", ""))
        except (OSError, ValueError):
            return "cannot be read"
    if isinstance(item, Backbone):
        try:
            card = item.card()
        except Exception as error:
            return f"card() failed: {type(error).__name__}: {error}"
        known = (
            card.family,
            f"{card.parameters / 1e6:.1f}M parameters" if card.parameters else "",
            f"{card.stages} stages" if card.stages is not None else "",
            f"width {card.width}" if card.width else "",
            card.licence,
            "" if card.on_disk else "not on disk",
        )
        return ", ".join(part for part in known if part)
    described = getattr(item, "description", "") or (type(item).__doc__ or "").strip().split("\n")[0]
    return str(described)


def _from(entry: Any) -> str:
    return f"{entry.distribution} {entry.version}".strip()


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _attempts(out: Path) -> dict[str, int]:
    try:
        return Store.open(out).attempts()
    except StoreError:
        return {}


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=any(headings))
    for i, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=i == 0 and len(headings) > 2)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _print_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table; a long one, or one for another program, as plain columns: sooner, and never folded."""
    if len(rows) <= _LONG and sys.stdout.isatty():
        _print(_table(headings, rows))
        return
    from rich.cells import cell_len

    texts = [headings, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*texts, strict=True)]
    for line in texts:
        padded = (text + " " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


def _print(table: Table) -> None:
    from rich.console import Console

    Console().print(table)
