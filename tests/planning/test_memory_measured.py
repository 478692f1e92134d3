"""The estimates beside what the committed leaderboards' cells were measured to take."""

from __future__ import annotations

from pathlib import Path

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import UsageError
from tlbench.planning.capacity import fit_bytes, needed_bytes
from tlbench.results.records.store import Store

LEADERBOARDS = Path(__file__).parents[2] / "leaderboards"


@pytest.mark.parametrize("name", ["glue-lite"])
def test_estimates_are_near_what_was_measured(name):
    catalog, compared = Catalog.discover(), 0
    for record in Store.open(LEADERBOARDS / name).records():
        cell, peak = record.cell, record.memory.host_peak_bytes
        if cell.backbone is None or peak is None:
            continue
        try:
            backbone, task = catalog.backbone(cell.backbone.name).item, catalog.task(cell.task.name).item
            resources = catalog.strategy(cell.strategy.name).item.resources(backbone, task)
        except UsageError as error:
            pytest.skip(f"a plugin of these records is not installed: {error}")
        if (own := record.memory.host_own_bytes) is not None:
            estimate = fit_bytes(resources, host=True)
            assert estimate is not None
            # Estimated are rows of 128 tokens, of which these tasks' have a sixth to a third. The records of
            # partial-finetune were made when blocks that the allocator had not given back between fits counted too.
            lowest = 0.6 if cell.strategy.name == "partial-finetune" else 0.75
            assert lowest < estimate / own < 5, f"{cell.title}: {estimate / own:.2f} of {own:,} bytes"
            compared += 1
            continue
        needed = needed_bytes(resources, host=True)
        assert needed is not None
        # Measured is also what a worker keeps of earlier cells. Estimated are rows of 128 tokens, of which these tasks'
        # have a sixth to a third: of 2.3 GB for all of MiniLM 0.8 are activations, most of which are never met.
        assert 0.5 < needed / peak < 1.6, f"{cell.title}: {needed / peak:.2f} of {peak:,} bytes"
        compared += 1
    assert compared
