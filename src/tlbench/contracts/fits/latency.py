"""How long predictions take, from the raw input to the answer."""

from __future__ import annotations

import msgspec


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The seconds of a prediction of some examples at once, tokenised or transformed, encoded and decoded."""

    rows: int
    """Number of examples that are predicted at once."""
    p50_seconds: float
    """Median over the repetitions."""
    p95_seconds: float
    """95% point over the repetitions."""
    repetitions: int
    threads: int = 1
    """Number of processor threads of the worker."""
