"""`tlbench list` and `tlbench version`: what is installed, narrowed to what one is looking for."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import PluginEntry
from tlbench.catalog.names import nearest
from tlbench.cli.text_tables import print_rows
from tlbench.contracts.backbone import Backbone, Card
from tlbench.contracts.errors import UsageError
from tlbench.contracts.task import Task
from tlbench.results.render.escaping import printable

PLURALS = {
    "backbones": "backbone", "tasks": "task", "strategies": "strategy", "metrics": "metric", "suites": "suite",
    "renderers": "renderer", "executors": "executor",
}  # fmt: skip
_COUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmb]?)", re.IGNORECASE)
_FITS = {
    "modality": ("backbones", "tasks"), "family": ("backbones",), "max_parameters": ("backbones",), "kind": ("tasks",),
}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What a listed thing must be; None where it may be anything."""

    modality: str | None = None
    family: str | None = None
    """A part of the family's name, in any case."""
    max_parameters: int | None = None
    kind: str | None = None
    """Of a task's output, as `Output.kind` names it."""

    def check(self, plural: str) -> None:
        """Refuses a condition that these things do not have.

        Raises:
            UsageError: There is one.
        """
        for field in fields(self):
            if getattr(self, field.name) is not None and plural not in _FITS[field.name]:
                fits = " or ".join(f"`tlbench list {name}`" for name in _FITS[field.name])
                raise UsageError(f"--{field.name.replace('_', '-')} narrows {fits}, not `tlbench list {plural}`")


def print_list(catalog: Catalog, kind: str, wanted: Wanted = Wanted()) -> None:
    """Prints what the plugins bring, and which of them are broken.

    Raises:
        UsageError: A condition that does not fit what is listed.
    """
    wanted.check(kind)
    for plural, singular in PLURALS.items():
        if kind not in {"all", plural}:
            continue
        entries = catalog.entries(singular)
        if plural == "backbones":
            _print_backbones(entries, wanted)
        elif plural == "tasks":
            _print_tasks(entries, wanted)
        else:
            print_rows((plural, "", "from"), [(entry.name, _about(entry.item), from_text(entry)) for entry in entries])
        if schemes := catalog.schemes(singular):
            print(f"and by name: {', '.join(printable(form) for form in schemes)}")
        if kind == "all":
            print()
    if kind == "plugins":
        print_rows(("plugin", "version"), [(p.distribution, p.version) for p in catalog.plugins])
    for broken in catalog.broken:
        where = f" ({broken.where})" if broken.where else ""
        print(printable(f"broken plugin: {broken.plugin}: {broken.reason}{where}"), file=sys.stderr)


def print_versions(catalog: Catalog) -> None:
    """Prints the versions of tlbench, Python and the plugins."""
    import platform

    from tlbench import __version__

    print(f"tlbench {__version__}, Python {platform.python_version()}")
    for plugin in catalog.plugins:
        if plugin.distribution != "tlbench":
            print(printable(f"  {plugin.distribution} {plugin.version}"))


def parse_count(text: str, source: str) -> int:
    """Returns the number that "30M", "1.5B", "200k" or "1000" stands for; `source` is who said so.

    Raises:
        UsageError: It is none.
    """
    match = _COUNT.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{source} {text}: a number such as 30M, 1.5B or 200k")
    return int(float(match[1]) * {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}[match[2].lower()])


def short_count(count: int | None) -> str:
    """Returns a number of parameters in a column's width: 22.6M; nothing where it is not known."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if count is not None and count >= size:
            return f"{count / size:.1f}{letter}"
    return "" if count is None else str(count)


def from_text(entry: Any) -> str:
    """Returns the distribution that brings a thing, with its version."""
    return f"{entry.distribution} {entry.version}".strip()


def missing_text(task: Task) -> str | None:
    """Returns what is missing of a task, whatever its plugin does when it is asked."""
    try:
        return task.missing()
    except Exception as error:
        return f"missing() failed: {type(error).__name__}: {error}"


def _print_backbones(entries: Sequence[PluginEntry], wanted: Wanted) -> None:
    rows, unknown = [], 0
    for entry in entries:
        backbone: Backbone = entry.item
        if wanted.modality not in {None, backbone.modality}:
            continue
        try:
            card = backbone.card()
        except Exception as error:
            # One bad plugin must not hide the others.
            rows.append((entry.name, f"card() failed: {type(error).__name__}: {error}", *[""] * 6, from_text(entry)))
            continue
        if wanted.family is not None and wanted.family.lower() not in card.family.lower():
            continue
        if wanted.max_parameters is not None and card.parameters is None:
            unknown += 1
            continue
        if wanted.max_parameters is not None and (card.parameters or 0) > wanted.max_parameters:
            continue
        rows.append((entry.name, *_columns(backbone, card), from_text(entry)))
    headings = ("backbones", "family", "modality", "parameters", "width", "stages", "licence", "on disk", "from")
    print_rows(headings, rows)
    if unknown:
        print(f"{unknown} more of unknown size")


def _columns(backbone: Backbone, card: Card) -> tuple[str, ...]:
    numbers = ("" if number is None else str(number) for number in (card.width, card.stages))
    disk = "yes" if card.on_disk else "no"
    return card.family, backbone.modality, short_count(card.parameters), *numbers, card.licence, disk


def _print_tasks(entries: Sequence[PluginEntry], wanted: Wanted) -> None:
    rows, kinds = [], set()
    for entry in entries:
        try:
            kinds.add(entry.item.output.kind)
            if (columns := _task_columns(entry.item, wanted)) is not None:
                rows.append((entry.name, *columns, from_text(entry)))
        except Exception as error:
            # What a task computes of itself may fail, and must not hide the others.
            rows.append((entry.name, f"failed: {type(error).__name__}: {error}", *[""] * 4, from_text(entry)))
    if wanted.kind is not None and not rows:
        raise UsageError(f"--kind {wanted.kind}: no task asks for it{nearest(wanted.kind, kinds)}")
    print_rows(("tasks", "modality", "kind", "metrics", "here", "", "from"), rows)


def _task_columns(task: Task, wanted: Wanted) -> tuple[str, ...] | None:
    if wanted.modality not in {None, task.modality} or wanted.kind not in {None, task.output.kind}:
        return None
    count = len(task.output.classes)
    kind = f"{task.output.kind} ({count})" if count else task.output.kind
    here = "no" if missing_text(task) else "yes"
    return task.modality, kind, ", ".join(task.metrics), here, task.description


def _about(item: Any) -> str:
    if isinstance(item, Path):
        import tomllib

        try:
            return str(tomllib.loads(item.read_text(encoding="utf-8")).get("description", ""))
        except (OSError, ValueError):
            return "cannot be read"
    described = (
        getattr(item, "description", "")
        or getattr(item, "citation", "")
        or (type(item).__doc__ or "").strip().split("\n")[0]
    )
    return str(described)
