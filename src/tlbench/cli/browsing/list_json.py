"""`tlbench list --json` and `tlbench version --json`: what the installed plugins provide, for programs."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import PluginEntry
from tlbench.catalog.strategy_families import family_of
from tlbench.cli.browsing.list import PLURALS, Filter, about_text, missing_text
from tlbench.cli.plugin.plugin_facts import facts_of
from tlbench.cli.plugin.plugin_texts import plugin_objects
from tlbench.contracts.backbone import Backbone, Card
from tlbench.contracts.plugins.api_version import API_VERSION, text_of
from tlbench.contracts.task import Task


def list_json(catalog: Catalog, kind: str, wanted: Filter) -> str:
    """Returns the objects of a kind, or of all kinds, as one JSON object in ASCII.

    Raises:
        UsageError: A filter that does not apply to the kind.
    """
    wanted.check(kind)
    content: dict[str, Any] = {"format": 1}
    for plural, singular in PLURALS.items():
        if kind in {"all", plural}:
            content[plural] = _objects(catalog.entries(singular), wanted, _READERS.get(plural, _plain))
    shown = [singular for plural, singular in PLURALS.items() if plural in content]
    content["schemes"] = {singular: list(catalog.schemes(singular)) for singular in shown}
    if kind in {"all", "plugins"}:
        content["plugins"] = plugin_objects(facts_of(catalog))
    content["broken"] = [{"plugin": one.plugin, "reason": one.reason, "where": one.where} for one in catalog.broken]
    return json.dumps(content, indent=1)


def versions_json(catalog: Catalog) -> str:
    """Returns the versions of tlbench, Python and the plugins as one JSON object in ASCII."""
    from tlbench import __version__

    content: dict[str, Any] = {
        "format": 1,
        "tlbench": __version__,
        "python": platform.python_version(),
        "api": text_of(API_VERSION),
    }
    facts = facts_of(catalog)
    content["plugins"] = [
        {"name": one.distribution, "version": one.version, "broken": [p.reason for p in one.problems if p.is_error]}
        for one in facts
    ]
    return json.dumps(content, indent=1)


def _objects(
    entries: Sequence[PluginEntry], wanted: Filter, read: Callable[[Any, Filter], dict[str, Any] | None]
) -> list[dict[str, Any]]:
    objects = []
    for entry in entries:
        head = {"name": entry.name, "distribution": entry.distribution, "version": entry.version}
        try:
            facts = read(entry.item, wanted)
        except Exception as error:
            # One broken plugin must not hide the others.
            objects.append({**head, "error": f"{type(error).__name__}: {error}"})
            continue
        if facts is not None:
            objects.append({**head, **facts, "error": ""})
    return objects


def _backbone(backbone: Backbone, wanted: Filter) -> dict[str, Any] | None:
    card: Card = backbone.card()
    if not wanted.accepts(backbone, card):
        return None
    names = ("family", "parameters", "width", "stages", "positions", "on_disk", "licence", "source", "revision")
    facts = {name: getattr(card, name) for name in names}
    missing = "" if card.on_disk else missing_text(backbone)
    return {"modality": backbone.modality, **facts, "missing": missing or ""}


def _task(task: Task, wanted: Filter) -> dict[str, Any] | None:
    if wanted.modality not in {None, task.modality} or wanted.kind not in {None, task.output.kind}:
        return None
    return {
        "modality": task.modality,
        "kind": task.output.kind,
        "classes": list(task.output.classes),
        "metrics": list(task.metrics),
        "sizes": dict(task.sizes),
        "licence": task.licence,
        "missing": missing_text(task) or "",
        "about": task.description,
    }


def _strategy(strategy: Any, wanted: Filter) -> dict[str, Any]:
    return {"family": family_of(strategy), "about": about_text(strategy)}


def _plain(item: Any, wanted: Filter) -> dict[str, Any]:
    return {"about": about_text(item)}


_READERS: Mapping[str, Callable[[Any, Filter], dict[str, Any] | None]] = {
    "backbones": _backbone, "tasks": _task, "strategies": _strategy,
}  # fmt: skip
