"""Families of strategies: their order, those that plugins bring, and that the documentation has the same."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import PluginEntry
from tlbench.catalog.strategy_families import FAMILIES, OTHER, by_family, family_of

DOCS = Path(__file__).parents[2] / "docs" / "strategies.md"


def entry(name: str, **attributes: Any) -> PluginEntry:
    return PluginEntry("strategy", name, SimpleNamespace(**attributes), "plugin", "0")


def test_known_families_come_first_then_others_by_name_and_unnamed_strategies_last() -> None:
    entries = [
        entry("a"),
        entry("b", family="zeal"),
        entry("c", family="domains"),
        entry("d", family="baseline"),
        entry("e", family="airs"),
        entry("f", family="domains"),
        entry("g", family=None),
        entry("h", family=" "),
    ]
    grouped = {family: [one.name for one in group] for family, group in by_family(entries).items()}
    assert list(grouped) == ["baseline", "domains", "airs", "zeal", OTHER]
    assert grouped["domains"] == ["c", "f"]
    assert grouped[OTHER] == ["a", "g", "h"]


def test_every_strategy_of_ours_is_documented_under_the_heading_of_its_family() -> None:
    sections = {text.split("\n", 1)[0]: text for text in DOCS.read_text(encoding="utf-8").split("\n## ")[1:]}
    entries = [one for one in Catalog.discover().entries("strategy") if one.distribution.startswith("tlbench-")]
    assert entries
    for one in entries:
        family = family_of(one.item)
        assert family in FAMILIES, f"{one.name} has the family {family!r}"
        names = sections[FAMILIES[family]].replace("[", "`").split("`")
        assert one.name in names, f"{one.name} is not under {FAMILIES[family]!r}"
