"""What the suites of the installed plugins promise: an equal search for all of their strategies."""

from __future__ import annotations

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Protocol
from tlbench.planning.suite import Suite, read_suite

CATALOG = Catalog.discover()
SUITES = {entry.name: read_suite(CATALOG.suite(entry.name)) for entry in CATALOG.entries("suite")}
UNSEARCHED = {"dense-lite"}
"""One setting and two seeds each, so that the suite ends within minutes."""
SEARCHED = {name: suite for name, suite in SUITES.items() if not suite.references and name not in UNSEARCHED}
"""All others but those that repeat published settings."""
REAL = {"glue", "text", "imdb", "ner", "hymenoptera", "cifar10-1pct"}
"""Suites of real data. Not `qa` and `seq2seq`: two of the small backbones at hand find spans or write texts."""


def _protocols(suite: Suite) -> list[Protocol]:
    return [protocol for block in suite.cells for protocol in suite.protocols_of(block)]


@pytest.mark.parametrize("name", SEARCHED)
def test_all_strategies_have_the_same_trials_and_seeds(name: str) -> None:
    protocols = _protocols(SEARCHED[name])
    assert len({(one.trials, one.seeds, one.sampler, one.pruner, one.final) for one in protocols}) == 1
    assert protocols[0].trials >= 3
    assert len(protocols[0].seeds) >= 3


@pytest.mark.parametrize("name", sorted(REAL))
def test_suites_of_real_data_compare_three_unlike_backbones(name: str) -> None:
    names = {backbone for block in SUITES[name].cells for backbone in block.backbones}
    families = {CATALOG.backbone(each).item.card().family for each in names}
    assert len(families) >= 3, families
