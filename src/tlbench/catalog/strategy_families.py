"""The families of strategies, in the order of listings, and strategies grouped by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tlbench.catalog.discovery import PluginEntry

FAMILIES: Mapping[str, str] = {
    "baseline": "Baselines: what a score has to beat",
    "frozen features": "On frozen features",
    "few and zero shot": "With few labels, or none",
    "part of the weights": "Part of the weights",
    "new weights": "New weights beside frozen ones",
    "all weights": "All of the weights",
    "pre-training": "Without labels first",
    "teacher": "From a larger backbone",
    "other tasks": "From other tasks",
    "unlabelled": "With unlabelled examples",
    "domains": "From one domain to another",
    "joined": "Joined from parts of others",
}
"""Values of `Strategy.family` and their headings, as in docs/strategies.md. A plugin may bring a family of its own."""
OTHER = "other"
"""The family of strategies that name none."""


def family_of(strategy: object) -> str:
    """Returns the family of a strategy, or "other" if it names none."""
    family = getattr(strategy, "family", "")
    return family if isinstance(family, str) and family.strip() else OTHER


def by_family(entries: Iterable[PluginEntry]) -> dict[str, list[PluginEntry]]:
    """Returns strategies by family: those of `FAMILIES` in their order, then others by name, and "other" last."""
    groups: dict[str, list[PluginEntry]] = {}
    for entry in entries:
        groups.setdefault(family_of(entry.item), []).append(entry)
    order = list(FAMILIES)
    return {
        family: groups[family]
        for family in sorted(
            groups, key=lambda name: (order.index(name) if name in FAMILIES else len(order), name == OTHER, name)
        )
    }
