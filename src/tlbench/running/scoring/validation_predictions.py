"""The final fits' predictions of the validation split: stored for each seed, and gathered when a cell is scored.

They are optional: without them a cell has the same scores, and no fit is repeated to get them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from tlbench.contracts.cell import Protocol
from tlbench.contracts.fits.task_info import TaskInfo
from tlbench.contracts.metric import Metric
from tlbench.contracts.task import Examples
from tlbench.metrics.scored import Scored
from tlbench.running.scoring.prediction_files import read_seed, validation_path, write_table
from tlbench.running.scoring.scores import UnusablePredictions, predictions_table, usable_predictions

FILE = "validation.parquet"
"""Name of the file in a cell's folder that has the predictions of all seeds."""
LIMIT_BYTES = 1_000_000
"""Maximum size of the file of all seeds."""
_MOST_SCORES = 8 * LIMIT_BYTES // 4
"""Maximum number of probabilities of one seed; even if compressed, more would exceed `LIMIT_BYTES`."""


class Kept(NamedTuple):
    """The gathered predictions of a cell."""

    name: str | None = None
    """Name of the file in the cell's folder, or None."""
    reason: str = ""
    """Why there is no file."""


def write(folder: Path, seed: int, examples: Examples, scored: Scored | None) -> None:
    """Writes a final fit's predictions, with probabilities in fp32; without any, removes those of an earlier fit.

    Args:
        folder: The cell's folder.
        seed: The seed of the fit.
        examples: The validation split.
        scored: The predictions; None if the fit had no validation split.
    """
    path = validation_path(folder, seed)
    if scored is None or (scored.scores is not None and scored.scores.size > _MOST_SCORES):
        path.unlink(missing_ok=True)
        return
    table = predictions_table(seed, examples, scored)
    if "scores" in table.column_names:
        place = table.column_names.index("scores")
        table = table.set_column(place, "scores", table["scores"].cast(pa.list_(pa.float32())))
    write_table(path, table)


def gather(
    folder: Path,
    seeds: Sequence[int],
    examples: Examples,
    protocol: Protocol,
    info: TaskInfo,
    metrics: Sequence[Metric],
) -> Kept:
    """Writes the predictions of all seeds to one file, unless some are missing or damaged, or the file is too large.

    The files may be damaged or come from another machine, so they are compared with the validation split.
    """
    target = folder / FILE
    target.unlink(missing_ok=True)
    if protocol.trains_on_validation:
        return Kept(reason="the winner was fitted on the validation split too")
    tables = []
    for seed in seeds:
        path = validation_path(folder, seed)
        if not path.is_file():
            return Kept(reason=f"seed {seed} has none: they are too large, or its fit was reused from a record without")
        table = read_seed(path, seed)
        try:
            usable_predictions(table, examples, info, metrics, "validation")
        except UnusablePredictions as error:
            return Kept(reason=f"seed {seed}: {error}")
        tables.append(table)
    try:
        write_table(target, pa.concat_tables(tables))
    except pa.ArrowException as error:
        return Kept(reason=f"the files of the seeds do not fit together: {' '.join(str(error).split())[:200]}")
    size = target.stat().st_size
    if size > LIMIT_BYTES:
        target.unlink()
        return Kept(reason=f"they take {size / 1e6:.1f} MB, and at most {LIMIT_BYTES / 1e6:g} MB of a cell are kept")
    return Kept(FILE)
