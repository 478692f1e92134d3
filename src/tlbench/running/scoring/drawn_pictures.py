"""Pictures of a few test examples with their predictions, for outputs that draw them (`Output.picture`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from tlbench.contracts.outputs import Output
from tlbench.contracts.task import Examples
from tlbench.metrics.scored import Scored
from tlbench.results.pictures.stored_pictures import LARGEST_BYTES, MOST_PICTURES, PICTURE

Faults: TypeAlias = type[BaseException] | tuple[type[BaseException], ...]
_log = logging.getLogger(__name__)


def drawn_pictures(output: Output, examples: Examples, scored: Scored, faults: Faults = Exception) -> dict[int, bytes]:
    """Returns pictures by the index of their example: examples at equal distances, the same ones for every cell.

    An output that fails to draw gives none, since a picture must not cost a score; too large ones are left out.

    Args:
        output: The task's output.
        examples: The test split.
        scored: The predictions of one seed.
        faults: The exceptions that count as a failure of the output.
    """
    drawn: dict[int, bytes] = {}
    for index in np.unique(np.linspace(0, len(examples) - 1, MOST_PICTURES).round().astype(int)).tolist():
        try:
            picture = output.picture(examples[index], scored.targets[index], scored.values[index])
        except faults as error:
            _log.warning("%s drew no picture of %s: %s", type(output).__name__, examples[index].id, error)
            return {}
        if isinstance(picture, bytes) and len(picture) <= LARGEST_BYTES:
            drawn[index] = picture
    return drawn


def with_pictures(table: pa.Table, drawn: Mapping[int, bytes]) -> pa.Table:
    """Returns a table of predictions with a column of pictures, or the table itself if there are none.

    Args:
        table: The predictions, those of the seed that was drawn first.
        drawn: Pictures by row.
    """
    if not drawn:
        return table
    return table.append_column(PICTURE, pa.array([drawn.get(row) for row in range(len(table))], pa.binary()))
