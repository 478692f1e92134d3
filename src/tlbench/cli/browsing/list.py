"""`tlbench list`, what the installed plugins provide, filtered by properties; and `tlbench version`, their versions."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import PluginEntry
from tlbench.catalog.loading.missing_packages import core_alone
from tlbench.catalog.names import nearest
from tlbench.catalog.strategy_families import FAMILIES, by_family
from tlbench.cli.plugin.plugin_facts import facts_of
from tlbench.cli.plugin.plugin_texts import print_plugins
from tlbench.cli.text_tables import ListColumn, print_grouped_listing, print_listing, terminal_width
from tlbench.contracts.backbone import Backbone, Card
from tlbench.contracts.errors import UsageError
from tlbench.contracts.plugins.api_version import API_VERSION, text_of
from tlbench.contracts.task import Task
from tlbench.contracts.untrusted.settings_files import read_toml
from tlbench.results.render.escaping import printable

PLURALS = {
    "backbones": "backbone", "tasks": "task", "strategies": "strategy", "metrics": "metric", "suites": "suite",
    "renderers": "renderer", "executors": "executor", "policies": "policy",
}  # fmt: skip
_ABOUT = ListColumn("about", is_shortened=True)
_FROM = ListColumn("from", drop=9)
_BACKBONE_COLUMNS = (
    ListColumn("backbones"), ListColumn("family"), ListColumn("modality"), ListColumn("parameters"),
    ListColumn("width", drop=1), ListColumn("stages", drop=2), ListColumn("on disk"), ListColumn("licence", drop=3),
    _FROM, ListColumn("source", drop=10),
)  # fmt: skip
_TASK_COLUMNS = (
    ListColumn("tasks"), ListColumn("modality"), ListColumn("kind"), ListColumn("here"), ListColumn("metrics", drop=3),
    ListColumn("licence", drop=4), _FROM, _ABOUT,
)  # fmt: skip
_LICENCE_WIDTH = 28
"""Longest licence of a task, in characters; `tlbench show` has the whole."""
_STRATEGY_COLUMNS = (ListColumn("strategies"), ListColumn("family"), _FROM, _ABOUT)
# Field of Filter -> the listings that have this property.
_APPLIES_TO = {
    "modality": ("backbones", "tasks"), "family": ("backbones",), "max_parameters": ("backbones",), "kind": ("tasks",),
}  # fmt: skip


@dataclass(frozen=True)
class Filter:
    """The properties that listed backbones or tasks must have; None accepts any."""

    modality: str | None = None
    family: str | None = None
    """A part of the family's name; upper and lower case are not distinguished."""
    max_parameters: int | None = None
    kind: str | None = None
    """Kind of a task's output, as in `Output.kind`."""

    def accepts(self, backbone: Backbone, card: Card) -> bool:
        """Returns whether a backbone has the properties; one of unknown size is not known to be small enough."""
        return (
            self.modality in {None, backbone.modality}
            and (self.family is None or self.family.lower() in card.family.lower())
            and (
                self.max_parameters is None or (card.parameters is not None and card.parameters <= self.max_parameters)
            )
        )

    def check(self, plural: str) -> None:
        """Checks that all properties that are set apply to a listing, such as "tasks".

        Raises:
            UsageError: A property that is set does not apply to the listing.
        """
        # An option that does nothing would look as if everything matched it.
        for field in fields(self):
            if getattr(self, field.name) is not None and plural not in _APPLIES_TO[field.name]:
                listings = " or ".join(f"`tlbench list {name}`" for name in _APPLIES_TO[field.name])
                raise UsageError(f"--{field.name.replace('_', '-')} narrows {listings}, not `tlbench list {plural}`")


def print_list(catalog: Catalog, kind: str, wanted: Filter = Filter()) -> None:
    """Prints the objects of a kind, or of all kinds, and the broken plugins on stderr.

    Raises:
        UsageError: A filter that does not apply to the kind.
    """
    wanted.check(kind)
    left_out: dict[str, None] = {}
    for plural, singular in PLURALS.items():
        if kind not in {"all", plural}:
            continue
        entries = catalog.entries(singular)
        if plural == "backbones":
            left_out |= dict.fromkeys(_print_backbones(entries, wanted))
        elif plural == "tasks":
            left_out |= dict.fromkeys(_print_tasks(entries, wanted))
        elif plural == "strategies":
            left_out |= dict.fromkeys(_print_strategies(entries))
        else:
            rows = [(entry.name, from_text(entry), about_text(entry.item)) for entry in entries]
            left_out |= dict.fromkeys(print_listing((ListColumn(plural), _FROM, _ABOUT), rows))
        if schemes := catalog.schemes(singular):
            _print_wrapped(f"and by name: {', '.join(printable(form) for form in schemes)}")
        if kind == "all":
            print()
    if kind == "plugins":
        print_plugins(facts_of(catalog))
    if left_out:
        width = terminal_width()
        _print_wrapped(
            f"not shown at {width} columns: {', '.join(left_out)}; `tlbench list {kind} | less -S` shows all"
        )
    if kind in {"all", "backbones", "tasks", "strategies"} and (hint := _core_alone(catalog)):
        print(hint, file=sys.stderr)
    # On stderr, so that the listing can be piped; still exit status 0, since the other plugins work.
    for broken in catalog.broken:
        where = f" ({broken.where})" if broken.where else ""
        print(printable(f"broken plugin: {broken.plugin}: {broken.reason}{where}"), file=sys.stderr)


def _core_alone(catalog: Catalog) -> str:
    return core_alone(plugin.distribution for plugin in catalog.plugins)


def print_versions(catalog: Catalog) -> None:
    """Prints the versions of tlbench, Python and the plugins."""
    import platform

    from tlbench import __version__

    print(f"tlbench {__version__} (plugin API {text_of(API_VERSION)}), Python {platform.python_version()}")
    facts = facts_of(catalog)
    for one in facts:
        reasons = [problem.reason for problem in one.problems if problem.is_error]
        broken = f"  broken: {reasons[0]}" if reasons else ""
        if one.distribution != "tlbench" or broken:
            print(printable(f"  {one.distribution} {one.version}{broken}"))
    if hint := _core_alone(catalog):
        print(hint)


def short_count(count: int | None) -> str:
    """Returns a number of parameters for a narrow column, such as 22.6M; empty for None."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if count is not None and count >= size:
            return f"{count / size:.1f}{letter}"
    return "" if count is None else str(count)


def from_text(entry: Any) -> str:
    """Returns the distribution of an object with its version."""
    # Modules from TLBENCH_PLUGINS have no version.
    return f"{entry.distribution} {entry.version}".strip()


def missing_text(item: Backbone | Task) -> str | None:
    """Returns what a backbone or task lacks on this machine, or None; an exception of its plugin counts as lacking."""
    try:
        return item.missing()
    except Exception as error:
        return f"missing() failed: {type(error).__name__}: {error}"


def _print_wrapped(text: str) -> None:
    """Prints a text, at a terminal in lines that end between two words."""
    if (width := terminal_width()) is not None:
        text = textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    print(text)


def _print_backbones(entries: Sequence[PluginEntry], wanted: Filter) -> list[str]:
    rows: list[tuple[str, ...]] = []
    missing: dict[str, str] = {}
    unknown = 0
    for entry in entries:
        backbone: Backbone = entry.item
        try:
            card = backbone.card()
        except Exception as error:
            # Listed with its error: one broken plugin must not hide the others.
            rows.append((entry.name, f"card() failed: {type(error).__name__}: {error}"))
            continue
        if not wanted.accepts(backbone, card):
            # Counted below the table: some of unknown size may be small enough.
            unknown += card.parameters is None and wanted.accepts(backbone, replace(card, parameters=0))
            continue
        rows.append((entry.name, *_columns(backbone, card), from_text(entry), card.source))
        if not card.on_disk and (text := missing_text(backbone)):
            missing[entry.name] = text
    left_out = print_listing(_BACKBONE_COLUMNS, rows)
    for name, text in missing.items():
        # Most messages begin with the name.
        _print_wrapped(printable(text if text.startswith(name) else f"{name}: {text}"))
    if unknown:
        print(f"{unknown} more of unknown size")
    return left_out


def _print_strategies(entries: Sequence[PluginEntry]) -> list[str]:
    groups = {
        FAMILIES.get(family, family): [
            (entry.name, family, from_text(entry), about_text(entry.item)) for entry in group
        ]
        for family, group in by_family(entries).items()
    }
    if terminal_width() is None:
        # Programs find the family in a column, people in headings.
        return print_grouped_listing(_STRATEGY_COLUMNS, groups)
    columns = [column for column in _STRATEGY_COLUMNS if column.heading != "family"]
    rows = {heading: [(name, source, about) for name, _, source, about in group] for heading, group in groups.items()}
    return print_grouped_listing(columns, rows)


def _columns(backbone: Backbone, card: Card) -> tuple[str, ...]:
    numbers = ("" if number is None else str(number) for number in (card.width, card.stages))
    disk = "yes" if card.on_disk else "no"
    return card.family, backbone.modality, short_count(card.parameters), *numbers, disk, card.licence


def _print_tasks(entries: Sequence[PluginEntry], wanted: Filter) -> list[str]:
    rows: list[tuple[str, ...]] = []
    kinds = set()
    for entry in entries:
        try:
            kinds.add(entry.item.output.kind)
            if (columns := _task_columns(entry.item, wanted)) is not None:
                rows.append((entry.name, *columns, from_text(entry), entry.item.description))
        except Exception as error:
            # A task's attributes may be properties that raise, which must not hide the other tasks.
            rows.append((entry.name, f"failed: {type(error).__name__}: {error}"))
    if wanted.kind is not None and not rows:
        raise UsageError(f"--kind {wanted.kind}: no task has this kind of output{nearest(wanted.kind, kinds)}")
    return print_listing(_TASK_COLUMNS, rows)


def _task_columns(task: Task, wanted: Filter) -> tuple[str, ...] | None:
    if wanted.modality not in {None, task.modality} or wanted.kind not in {None, task.output.kind}:
        return None
    count = len(task.output.classes)
    kind = f"{task.output.kind} ({count})" if count else task.output.kind
    here = "no" if missing_text(task) else "yes"
    licence = textwrap.shorten(task.licence, _LICENCE_WIDTH, placeholder=" ...")
    return task.modality, kind, here, ", ".join(task.metrics), licence


def about_text(item: Any) -> str:
    """Returns the description of an object or suite, or the first line of its docstring."""
    if isinstance(item, Path):  # a suite
        try:
            # Not read_suite, which would refuse a suite with a mistake in it: here its description is enough.
            return str(read_toml(item, links="followed").get("description", ""))
        except (OSError, ValueError):
            return "cannot be read"
    described = (
        getattr(item, "description", "")
        or getattr(item, "citation", "")
        or (type(item).__doc__ or "").strip().split("\n")[0]
    )
    return str(described)
