"""`tlbench show`: the details of a backbone, task, strategy or suite, without loading it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from tlbench.catalog.catalog import Catalog, Found
from tlbench.catalog.names import nearest, parameter_values, parse
from tlbench.cli.browsing.list import from_text, missing_text, short_count
from tlbench.cli.browsing.show_strategy import strategy_facts, value_text
from tlbench.cli.plan import protocol_text
from tlbench.cli.text_tables import print_facts
from tlbench.contracts.backbone import Backbone, Card
from tlbench.contracts.errors import AmbiguousName, StoreError, UnknownName, UsageError
from tlbench.contracts.outputs import Output, Text
from tlbench.contracts.resources import Trainable, estimated
from tlbench.contracts.space import Override, Range
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task
from tlbench.data.carving import CARVE_SEED, how_drawn, planned_carve
from tlbench.modeling.disk.cache_settings import size_text
from tlbench.planning.capacity import needed_bytes
from tlbench.planning.plan import plan
from tlbench.planning.suite import read_suite
from tlbench.results.records.cell_ids import full_id
from tlbench.results.records.store import Store

Fact: TypeAlias = tuple[str, str]
"""A label and a text; facts with an empty text are not printed."""
Facts: TypeAlias = Iterator[Fact]

_MAX_CLASSES = 20
_KINDS = ("backbone", "task", "strategy")


def print_one(
    catalog: Catalog, name: str, out: Path, backbone: str | None = None, task: str | None = None, as_json: bool = False
) -> None:
    """Prints the details of a backbone, task, strategy or suite, or the record of a cell.

    Args:
        catalog: The installed plugins.
        name: A name, the path of a suite file, or the id of a cell.
        out: Folder of results, for the id of a cell.
        backbone: The name of a backbone on which the search space of a strategy may depend.
        task: The name of a task on which that search space may depend.
        as_json: Whether to print JSON.

    Raises:
        UnknownName: Nothing has this name.
        AmbiguousName: Two installed distributions provide, for example, a task of this name.
        UsageError: `backbone` or `task` is given, and the strategy of this name cannot be used with it.
    """
    # The form of a cell's id; names of plugins are in kebab-case, and one of 16 hex digits is not expected.
    if re.fullmatch(r"[0-9a-f]{16}", name):
        cell_id = name
    else:
        found = [*_named(catalog, name, backbone, task)]
        if found:
            _print(name, found, as_json)
            return
        cell_id = _recorded_cell(name, out)
    if cell_id:
        from tlbench.cli.recorded.show_cell import print_record

        print_record(catalog, cell_id, out, as_json)
        return
    names = [entry.name for kind in (*_KINDS, "suite") for entry in catalog.entries(kind)]
    raise UnknownName(
        f"unknown name {name!r}, nor is it the id of a cell in {out}{nearest(parse(name)[0], names)}"
        f"{catalog.broken_hint()}"
    )


def _named(catalog: Catalog, name: str, backbone: str | None, task: str | None) -> Iterator[tuple[str, list[Fact]]]:
    """Yields the kind and the facts of everything of a name: a task and a suite, for example, may have the same."""
    if backbone or task:
        # Only the search space of a strategy depends on a backbone or task, so the name must be a strategy's.
        yield "strategy", _strategy(catalog, catalog.strategy(name), backbone, task)
        return
    for kind in _KINDS:
        try:
            named: Found[Any] = getattr(catalog, kind)(name)
        except AmbiguousName:
            raise
        except UnknownName:
            continue
        if kind == "strategy":
            yield kind, _strategy(catalog, named)
        else:
            yield kind, [*_common(kind, named), *_FACTS[kind](named.item), *_settable(named.item)]
    if name in {entry.name for entry in catalog.entries("suite")} or name.endswith(".toml"):
        yield "suite", [*_suite(catalog, name)]


def _print(name: str, found: Sequence[tuple[str, list[Fact]]], as_json: bool) -> None:
    if not as_json:
        for _, facts in found:
            print_facts(facts)
        return
    content = [{"kind": kind, "facts": _by_label(facts)} for kind, facts in found]
    # In ASCII, so that no text of a plugin can act on a terminal.
    print(json.dumps({"format": 1, "name": name, "found": content}, indent=1))


def _by_label(facts: Sequence[Fact]) -> dict[str, list[str]]:
    """Returns the texts of each label; a fact without a label belongs to the label before it."""
    texts: dict[str, list[str]] = {}
    last = ""
    for label, text in facts:
        last = label.strip() or last
        if text:
            texts.setdefault(last, []).append(text)
    return texts


def _recorded_cell(beginning: str, out: Path) -> str:
    """Returns the id of the only recorded cell whose id begins with these digits; empty if there is none.

    Raises:
        UsageError: Several recorded ids begin with these digits.
    """
    if not re.fullmatch(r"[0-9a-f]{1,15}", beginning):
        return ""
    try:
        return full_id(beginning, Store.open(out).attempts())
    except (StoreError, UnknownName):
        return ""


def _strategy(
    catalog: Catalog, named: Found[Strategy], backbone: str | None = None, task: str | None = None
) -> list[Fact]:
    facts = strategy_facts(catalog, named.item, backbone, task)
    return [*_common("strategy", named), *facts, *_settable(named.item)]


def _common(kind: str, named: Found[Any]) -> Facts:
    item = named.item
    yield kind, named.ref.name
    yield "version", str(named.ref.version)
    yield "from", from_text(named)
    # Without a description, the first paragraph of the class's docstring.
    yield "about", getattr(item, "description", "") or " ".join((item.__doc__ or "").split("\n\n")[0].split())
    yield "paper", getattr(item, "paper", "")


def _backbone(backbone: Backbone) -> Facts:
    yield "modality", backbone.modality
    try:
        card = backbone.card()
    except Exception as error:
        yield "card", f"card() failed: {type(error).__name__}: {error}"
        return
    yield "family", card.family
    yield "parameters", f"{card.parameters:,} ({short_count(card.parameters)})" if card.parameters is not None else ""
    yield "width", _number(card.width)
    yield "stages", _number(card.stages)
    yield "positions", _number(card.positions)
    yield "pairs", "each text is embedded alone by probes" if card.pairs == "separate" else ""
    yield "pre-trained on", card.pretraining_data
    yield "data sets", ", ".join(card.trained_on)
    yield "licence", card.licence
    yield "source", card.source
    yield "revision", card.revision
    yield "on disk", "yes" if card.on_disk else f"no: {_how_to_get(backbone, card)}"
    # The two ends of what a strategy may need: no stage trained, and all of them.
    frozen, trained = (needed_bytes(estimated(card, Trainable(stages)), host=True) for stages in (0, None))
    if frozen is not None and trained is not None:
        yield "memory", f"about {size_text(frozen)} frozen, {size_text(trained)} with all of it trained"


def _how_to_get(backbone: Backbone, card: Card) -> str:
    # A plugin's own message knows more than the general one, such as which package has the weights.
    if type(backbone).missing is not Backbone.missing and (text := missing_text(backbone)):
        return text
    # A backbone with a scheme, such as hf:org/name, has no fixed revision, and only a pinned one can be fetched.
    pin = f"name it {backbone.name}@<commit>, and " if ":" in backbone.name and not card.revision else ""
    return f"{pin}`tlbench fetch` downloads it if it is available"


def _task(task: Task) -> Facts:
    yield "modality", task.modality
    yield "output", _output(task.output)
    yield "metrics", ", ".join(task.metrics)
    yield "splits", ", ".join(f"{split} {size:,}" for split, size in task.sizes.items())
    if ":" not in task.name:
        # The description of a task from files says how they are split.
        # Without sizes only the data would tell whether there is a validation split, and they are not read here.
        unknown = f"its own, or else carved from train: 20%, at most 2,000, {how_drawn(task.output, CARVE_SEED)}"
        carved = planned_carve(task.sizes, task.output).removeprefix("validation: ")
        yield "validation", carved if task.sizes else unknown
    yield "slices", ", ".join(task.slices)
    yield "source", task.source
    yield "data sets", ", ".join(task.datasets)
    yield "licence", task.licence
    missing = missing_text(task)
    yield "here", f"no: {missing}" if missing else "yes"


_FACTS: dict[str, Callable[[Any], Facts]] = {"backbone": _backbone, "task": _task}


def _suite(catalog: Catalog, name: str) -> Facts:
    path = catalog.suite(name)
    suite = read_suite(path)
    yield "suite", suite.name
    yield "about", suite.description
    yield "file", str(path)
    for number, block in enumerate(suite.cells, start=1):
        yield f"cells {number}", "tasks " + ", ".join(block.tasks)
        yield "", "strategies " + ", ".join(block.strategies)
        if block.backbones:
            yield "", "backbones " + ", ".join(block.backbones)
        for protocol in suite.protocols_of(block):
            yield "", protocol_text(protocol)
    for strategy, overrides in suite.space.items():
        yield f"space of {strategy}", ", ".join(f"{key} {_override(value)}" for key, value in overrides.items())
    for number, one in enumerate(suite.references, start=1):
        title = " | ".join((one.backbone or "-", one.task, one.strategy))
        yield f"published {number}", f"{one.metric} {one.value:g} of {title}: {one.setting}"
        yield "", f"{one.source}: {one.url}"
    try:
        planned = plan(suite, catalog)
        yield "plan", f"{len(planned.cells)} cells, {len(planned.skips)} skipped: `tlbench plan --suite {name}`"
    except UsageError as error:
        # A suite of plugins that are not installed can be read, though not planned.
        yield "plan", f"not possible here: {error}"


def _output(output: Output) -> str:
    if classes := output.classes:
        more = len(classes) - _MAX_CLASSES
        names = [*classes[:_MAX_CLASSES], *([f"and {more} more"] if more > 0 else [])]
        return f"{output.kind}: {len(classes)}: {', '.join(names)}"
    if isinstance(output, Text):
        return f"{output.kind}, at most {output.max_length} tokens"
    return output.kind


def _settable(item: object) -> Facts:
    """Yields the parameters that a name can set in brackets, with their values: a line for each that has a help."""
    all_settings = parameter_values(item)
    plain = [f"{setting.name}={setting.value}" for setting in all_settings if not setting.help]
    explained = [setting for setting in all_settings if setting.help]
    yield "settable", ", ".join(plain) or ("in brackets, as [name=value]" if explained else "nothing")
    for setting in explained:
        value = "not set" if setting.value in ("", "null") else setting.value
        yield f"  {setting.name}", f"{value}: {setting.help}"


def _override(override: Override) -> str:
    if isinstance(override, Range):
        low, high = (value_text(end) if end is not None else "..." for end in (override.low, override.high))
        return f"{low} to {high}{', log' if override.log else ''}"
    if isinstance(override, list):
        return "one of " + ", ".join(map(value_text, override))
    return f"= {value_text(override)}"


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
