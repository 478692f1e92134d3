"""Sorts the cells of a run: long ones first, so that no worker is idle while another finishes a long cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Cell
from tlbench.contracts.resources import stage_count
from tlbench.contracts.strategy import Strategy
from tlbench.running.cells.attempt import Attempt

BACKWARD = 2.0
"""The cost of a backward pass, relative to that of a forward pass."""
BACKWARD_FROZEN = 1.0
"""The cost of a backward pass through frozen weights; it is lower because no gradients of the weights are computed."""
_BATCH = 16
"""Typical number of examples in a step of training."""
_EXAMPLES = 1000
"""Number of training examples that is assumed where the protocol sets no limit: counting them would read the data."""


def longest_first(attempts: Sequence[Attempt], catalog: Catalog, workers: int) -> list[Attempt]:
    """Returns the attempts in the order in which several workers should take them.

    Baselines without a backbone come first, since they take no time. The other cells are sorted by the size of their
    backbone, the largest first. Among cells of one backbone, the strategies that train most of its layers come first
    and probes come last. Cells with equal cost keep the plan's order, and with one worker the plan's order is not
    changed.
    """
    if workers == 1:
        return list(attempts)
    return sorted(attempts, key=lambda attempt: _rank(attempt.cell, catalog))


def _rank(cell: Cell, catalog: Catalog) -> tuple[float, str, float]:
    """Returns a sort key: minus the backbone's number of parameters, its name, minus the estimated number of passes."""
    if cell.backbone is None:
        return -math.inf, "", 0.0
    parameters = passes = math.inf  # cells of unknown cost come first
    with suppress(Exception):  # a mistake in a plugin is reported when its cell is run
        backbone = catalog.backbone(cell.backbone.name).item
        card = backbone.card()
        parameters = math.inf if card.parameters is None else float(card.parameters)
        per_fit = _passes(catalog.strategy(cell.strategy.name).item, backbone)
        fits = cell.protocol.trials * (cell.protocol.folds or 1) + len(cell.protocol.seeds)
        # Probes train on activations that are computed once.
        passes = 1.0 if per_fit is None else per_fit * fits
    # Cells of one backbone stay together, because a worker on a GPU keeps its weights loaded.
    return -parameters, cell.backbone.name, -passes


def fit_cost(cell: Cell, catalog: Catalog) -> float | None:
    """Returns a rough cost of one of a cell's fits, to be compared with that of other cells; None if it is unknown.

    It is the number of the backbone's parameters times the number of examples that pass through them, where backward
    passes count as `BACKWARD` or `BACKWARD_FROZEN` forward passes. For probes, the one encoding of the examples is
    divided equally among all fits of the cell. The cost is unknown if the backbone does not state its parameters.
    """
    with suppress(Exception):  # a mistake in a plugin is reported when its cell is run
        if cell.backbone is None:
            return None
        backbone, protocol = catalog.backbone(cell.backbone.name).item, cell.protocol
        passes = _passes(catalog.strategy(cell.strategy.name).item, backbone)
        examples = protocol.train_limit or _EXAMPLES
        parameters = backbone.card().parameters
        if parameters is None:
            return None
        if passes is None:
            return parameters * examples / (protocol.trials + len(protocol.seeds))
        trained = _BATCH * protocol.max_steps if protocol.max_steps else (protocol.epochs or 1.0) * examples
        return parameters * trained * passes
    return None


def _passes(strategy: Strategy, backbone: Backbone) -> float | None:
    """Returns the cost of a fit's passes for each example; None for probes, which encode the examples once per cell."""
    trainable = strategy.trainable(backbone)
    card = backbone.card()
    stages = trainable.stages_of(card)
    if strategy.batch_size > 1 and stages == 0:
        return None
    backward = BACKWARD if trainable.parameters is None else BACKWARD_FROZEN
    return 1 + backward * stages / stage_count(card)
