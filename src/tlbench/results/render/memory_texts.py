"""The column of main memory: what the cell's own fits held or, where that is not known, an upper bound."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.results.columns import Row
from tlbench.results.render.value_texts import NOTHING, size

AT_MOST = "≤"
"""Sign before the memory of a whole worker, of which an unknown part is the cell's own."""


def memory_bytes(row: Row) -> int | None:
    """Returns the cell's own memory, or the worker's if only that was measured."""
    own: int | None = row["host_own_bytes"]
    peak: int | None = row["host_peak_bytes"]
    return peak if own is None else own


def memory(row: Row) -> str:
    """Returns the cell's own memory, such as "412 MB", or "≤812 MB" if only the worker's was measured."""
    if row["host_own_bytes"] is not None:
        return size(row["host_own_bytes"])
    return NOTHING if row["host_peak_bytes"] is None else f"{AT_MOST}{size(row['host_peak_bytes'])}"


def memory_legend(rows: Sequence[Row]) -> str:
    """Returns a clause that says what the column means for these rows."""
    own = any(row["host_own_bytes"] is not None for row in rows)
    whole = any(row["host_own_bytes"] is None and row["host_peak_bytes"] is not None for row in rows)
    texts = []
    if own or not whole:
        texts.append(
            "memory is the peak of what a fit of the cell held: weights, gradients, optimiser state, activations, data "
            "and child processes, without imported libraries and mapped files"
        )
    if whole:
        text = f"{AT_MOST} is the peak of the whole worker process, of which the cell's own part is not known"
        texts.append(text if own else f"memory with {text}")
    return "; ".join(texts)
