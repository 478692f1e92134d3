"""How an order is repeated after memory ran out: in a fresh process, and with batches in two and then in four parts."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tlbench.contracts.executor import Fit, FitOrder
from tlbench.contracts.record import FitResult

MOST_PARTS = 4
"""The largest number of parts in which a batch is tried."""
MOST_ATTEMPTS = 3
"""Number of attempts of an order whose memory cannot be lowered by smaller batches: a pass of several fits, which is
tried in halves, and scoring."""


class OomLadder:
    """Repeats the orders of one cell after memory ran out, and remembers in how many parts its batches are trained."""

    def __init__(self, rows: int | None, finished: Iterable[FitResult] = ()) -> None:
        """Continues where an earlier process ended.

        Args:
            rows: The rows of a batch; None for a strategy that does not train by batches, whose fits are tried once
                more, in a fresh process.
            finished: The finished fits of the cell.
        """
        self._rows = rows
        self._parts = max((one.batch_parts for one in finished), default=1)

    def divided(self, fits: Iterable[Fit]) -> tuple[Fit, ...]:
        """Returns fits in whose batches memory has not run out yet, as far as earlier orders have shown."""
        return tuple(msgspec.structs.replace(fit, batch_parts=self._parts) for fit in fits)

    def again(self, order: FitOrder) -> list[FitOrder]:
        """Returns the orders to try in place of one that ran out of memory; empty if nothing is left to try."""
        fits = order.fits
        if len(fits) > 1 or order.purpose == "score":
            if order.attempt >= MOST_ATTEMPTS:
                return []
            # Scoring reads the answers of all seeds together.
            half = len(fits) if order.purpose == "score" else (len(fits) + 1) // 2
            return [_repeated(order, part) for part in (fits[:half], fits[half:]) if part]
        if self._rows is None:
            return [_repeated(order, fits)] if order.attempt == 1 else []
        parts = 2 * fits[0].batch_parts
        if parts > min(MOST_PARTS, self._rows):
            return []
        self._parts = max(self._parts, parts)
        return [_repeated(order, self.divided(fits))]

    def explained(self, order: FitOrder, results: Iterable[FitResult]) -> list[FitResult]:
        """Returns the results of such an order, with the batches named where memory ran out."""
        text = self.text(order)
        return [
            msgspec.structs.replace(one, reason=f"{one.reason}: {text}") if one.status == "oom" else one
            for one in results
        ]

    def text(self, order: FitOrder) -> str:
        """Returns with which batches memory ran out, in a few words, once nothing is left to try."""
        if self._rows is None or len(order.fits) > 1 or order.purpose == "score":
            return "memory ran out, in a fresh process too"
        parts = order.fits[0].batch_parts
        tried = [-(-self._rows // number) for number in (2, 4) if number <= parts]
        smaller = f", and with parts of {' and of '.join(map(str, tried))} rows too" if tried else ""
        return f"memory ran out with batches of {self._rows} rows{smaller}"


def divided_text(fits: Iterable[FitResult], rows: int | None) -> str:
    """Returns a note on fits whose batches were trained in parts; empty if there are none."""
    parts = max((fit.batch_parts for fit in fits), default=1)
    if parts == 1:
        return ""
    size = f" of {rows} rows" if rows else ""
    return f"memory ran out with batches{size}, so they were trained in {parts} parts, with the same mean gradient"


def _repeated(order: FitOrder, fits: tuple[Fit, ...]) -> FitOrder:
    # The worker that holds the predictor may be the one that ran out of memory, so none is named any more.
    return msgspec.structs.replace(order, fits=fits, attempt=order.attempt + 1, worker="")
