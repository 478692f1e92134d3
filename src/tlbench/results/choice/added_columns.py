"""Columns that are computed only if `--columns`, `--filter` or `--sort` names them, such as calibration errors."""

from __future__ import annotations

import re
from collections.abc import Iterable

TEMPERATURE = "temperature"
THRESHOLD = "threshold"
F1_AT_THRESHOLD = "f1_at_threshold"
CALIBRATION = {
    f"{measure}_{when}": (measure, when) for measure in ("ece", "nll", "brier") for when in ("before", "after")
}
"""Columns of the calibration on the test split. Each has a measure (expected calibration error, negative log-likelihood
or Brier score), and says whether it is computed before or after scaling by the temperature."""
ADDED: dict[str, int] = {
    TEMPERATURE: 0,
    **dict.fromkeys(CALIBRATION, -1),
    THRESHOLD: 0,
    F1_AT_THRESHOLD: 1,
}
"""Optional columns, each with 1 if larger values are better, -1 if smaller ones are, and 0 if neither is.

Temperature and threshold are chosen on stored validation predictions; with them, the other columns are computed on
stored test predictions. All are averaged over seeds.
"""


def remarks(names: Iterable[str]) -> tuple[str, ...]:
    """Returns sentences for the legend that explain these columns."""
    names = {*names}
    lines = []
    if names & {TEMPERATURE, *CALIBRATION}:
        lines.append(
            "temperature: fitted on validation (Guo et al. 2017); before and after scaling by it, on test: ece, the "
            "expected calibration error in 15 bins, nll, the log loss in nats, and brier, from 0 to 2. No score and no "
            "rank uses it."
        )
    if names & {THRESHOLD, F1_AT_THRESHOLD}:
        lines.append("threshold: the probability with the best F1 on validation; score and rank use 0.5.")
    return tuple(lines)


def named_in(texts: Iterable[str]) -> tuple[str, ...]:
    """Returns the optional columns that occur in the values of options, such as that of `--filter`."""
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    return tuple(name for name in ADDED if name in words)
