"""Estimates of fits' seconds, corrected by what fits of this search, and of earlier ones on this machine, took."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tlbench.contracts.policies.policy import Proposal
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.costs.data_shape import DataShape
from tlbench.finding.costs.fit_seconds import Speed, fit_seconds, scoring_seconds

CLOSE = 0.25
"""An estimate within this share of the measured time counts as close."""
PROBE_ENCODING = 0.8
"""The share of a probe's seconds that go into encoding, until one is measured."""
SEPARATOR = " | "
_MOST = math.log(20.0)
"""The logarithm of the largest factor of a correction; slower fits are outliers, such as after a download."""


@dataclass
class Costs:
    """The expected seconds of fits, and how far they were off."""

    entries: Sequence[Entry]
    shape: DataShape
    speed: Speed
    steps: int | None
    known: Mapping[str, float] = field(default_factory=dict)
    """Factors that earlier searches found, by `key`."""
    draws_anew: bool = False
    """Whether each seed draws other training rows, so that nothing that one seed has encoded serves another."""
    _logs: dict[int, list[float]] = field(default_factory=dict)
    """For each candidate, the logarithms of measured over estimated seconds of its fits."""
    _encoding: dict[int, float] = field(default_factory=dict)
    """For each candidate, the share of its last fit's seconds that went into encoding."""
    _errors: list[float] = field(default_factory=list)

    def estimate(self, proposal: Proposal) -> float:
        """Returns the seconds of a fit by estimate alone."""
        return fit_seconds(self.entries[proposal.candidate], self.shape, self.speed, self.steps, proposal.part)

    def __call__(self, proposal: Proposal) -> float:
        """Returns the seconds that a fit is expected to take, corrected by all fits so far."""
        return self.estimate(proposal) * math.exp(self._correction(proposal.candidate))

    def again(self, proposal: Proposal) -> float:
        """Returns the seconds that the same fit is expected to take at another seed, with the test split's predictions.

        The training rows are not encoded again, unless each seed draws others.
        """
        whole = self(proposal)
        if not self.draws_anew:
            is_probe = self.entries[proposal.candidate].candidate.role == "probe"
            whole *= 1 - self._encoding.get(proposal.candidate, PROBE_ENCODING if is_probe else 0.0)
        return whole + self.scoring(proposal)

    def scoring(self, proposal: Proposal) -> float:
        """Returns the seconds that predicting the test split with a fit's weights is expected to take."""
        seconds = scoring_seconds(self.entries[proposal.candidate], self.shape, self.speed)
        return seconds * math.exp(self._correction(proposal.candidate))

    def add(self, proposal: Proposal, seconds: float, expected: float | None = None, encoding: float = 0.0) -> None:
        """Adds a fit that was measured.

        Args:
            proposal: The fit.
            seconds: The seconds that it took.
            expected: The seconds that had been expected, if this estimate is to be judged.
            encoding: How many of the seconds went into encoding.
        """
        if seconds <= 0:
            return
        self._encoding[proposal.candidate] = min(1.0, encoding / seconds)
        log = math.log(seconds / self.estimate(proposal))
        self._logs.setdefault(proposal.candidate, []).append(max(-_MOST, min(_MOST, log)))
        if expected:
            self._errors.append(abs(seconds - expected) / seconds)

    def is_measured(self, number: int) -> bool:
        """Returns whether this search has fitted the candidate."""
        return number in self._logs

    @property
    def share_close(self) -> float | None:
        """The share of fits whose expected seconds were close to the measured ones; None without fits."""
        return sum(error <= CLOSE for error in self._errors) / len(self._errors) if self._errors else None

    def factors(self) -> dict[str, float]:
        """Returns the corrections of candidates that were fitted, for later searches."""
        return {key(self.entries[number]): math.exp(_mean(logs)) for number, logs in self._logs.items()}

    def _correction(self, number: int) -> float:
        if logs := self._logs.get(number):
            return _mean(logs[-3:])
        entry = self.entries[number]
        before = self.known.get(key(entry))
        # What is alike in the machine and in the backbone: its load, its speed, the error of the card.
        tests: tuple[Callable[[Entry], bool], ...] = (
            lambda other: other.candidate.backbone == entry.candidate.backbone and _is_kin(other, entry),
            lambda other: other.candidate.strategy == entry.candidate.strategy,
            lambda other: _is_kin(other, entry),
        )
        measured = [(self.entries[other], _mean(logs)) for other, logs in self._logs.items()]
        near: list[list[float]] = [[log for other, log in measured if is_near(other)] for is_near in tests]
        here = next((_mean(one) for one in near if one), None)
        if before is not None:
            # Fits that both this search and earlier ones measured say how fast the machine is today.
            today = [
                _mean(logs) - math.log(self.known[key(self.entries[other])])
                for other, logs in self._logs.items()
                if key(self.entries[other]) in self.known
            ]
            return math.log(before) + (_mean(today) if today else 0.0)
        if here is not None:
            return here
        # Earlier searches say how fast the machine is; what baselines take says nothing of backbones, and vice versa.
        has_backbone = entry.backbone is not None
        alike = [math.log(one) for name, one in self.known.items() if (SEPARATOR in name) == has_backbone]
        return _median(alike) if alike else 0.0


def key(entry: Entry) -> str:
    """Returns the text by which a candidate's correction is kept for later searches."""
    return SEPARATOR.join(name for name in (entry.candidate.backbone, entry.candidate.strategy) if name)


def _is_kin(one: Entry, other: Entry) -> bool:
    return (one.backbone is None) == (other.backbone is None)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
