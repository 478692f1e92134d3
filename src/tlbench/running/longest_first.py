"""The order in which a run opens its cells: what takes long goes first, so that no worker waits at the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell
from tlbench.contracts.resources import stage_count
from tlbench.running.cells.attempt import Attempt

BACKWARD = 2.0
"""What the way back costs beside a forward pass."""
BACKWARD_FROZEN = 1.0
"""The same through weights that are frozen: half of it is their gradients."""


def longest_first(attempts: Sequence[Attempt], catalog: Catalog, workers: int) -> list[Attempt]:
    """Returns the attempts as several workers best take them; with one worker, as the plan has them.

    Baselines without a backbone come first, since they are done at once. Then come the largest backbones, each with
    the strategies that train most of it first, and its probes last. Cells that are alike stay in the plan's order.
    """
    if workers == 1:
        return list(attempts)
    return sorted(attempts, key=lambda attempt: _rank(attempt.cell, catalog))


def _rank(cell: Cell, catalog: Catalog) -> tuple[float, str, float]:
    if cell.backbone is None:
        return -math.inf, "", 0.0
    parameters = passes = math.inf  # of what nobody knows, the worst is expected
    with suppress(Exception):  # a plugin's mistake, which its cell will tell
        backbone = catalog.backbone(cell.backbone.name).item
        card = backbone.card()
        parameters = math.inf if card.parameters is None else float(card.parameters)
        strategy = catalog.strategy(cell.strategy.name).item
        trainable = strategy.trainable(backbone)
        stages = trainable.stages_of(card)
        if strategy.batch_size > 1 and stages == 0:
            passes = 1.0  # over activations that are computed once
        else:
            backward = BACKWARD if trainable.parameters is None else BACKWARD_FROZEN
            passes = (1 + backward * stages / stage_count(card)) * (cell.protocol.trials + len(cell.protocol.seeds))
    # Cells of a backbone stay together: on a GPU its weights stay loaded.
    return -parameters, cell.backbone.name, -passes
