"""A task's stored fits as a search sees them, and what its answers are worth on test examples that name no oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tlbench.contracts.policies.policy import Candidate, Outcome, Proposal
from tlbench.contracts.space import Value

Array = NDArray[np.floating]
Setting = tuple[int, tuple[tuple[str, Value], ...]]
"""A candidate's number and the params."""

RUNGS: Mapping[int | None, int] = {8: 0, 2: 1, None: 2}
"""The place of `Proposal.part` in values by rung."""


@dataclass(frozen=True)
class FeatureScore:
    """A score of each backbone's frozen features, for policies that read it."""

    by_backbone: Mapping[str, float]
    seconds: float
    """Seconds to compute it for all backbones, without the encodings."""
    encodings: frozenset[int]
    """The encodings that it reads."""


@dataclass(frozen=True, eq=False)
class ReplayTask:
    """The fits of one task at the first seed.

    Arrays have a row for each fit; (fits, 3) are values by rung.
    """

    name: str
    modality: str
    test_rows: int
    validation_rows: int
    """Rows that a search is scored on."""
    candidates: Sequence[Candidate]
    rows: Mapping[Setting, int]
    """The row of each setting."""
    seconds: Array
    """Seconds charged at each rung, without encodings, (fits, 3)."""
    encodings: Sequence[frozenset[int]]
    """The encodings that each fit reads; a search is charged for each once."""
    encoding_seconds: Sequence[float]
    answered: NDArray[np.bool_]
    """Whether there are answers at each rung, (fits, 3)."""
    constant: NDArray[np.bool_]
    """Whether all answers are equal, (fits, 3)."""
    validation: Callable[[int], Array]
    """Returns the validation scores of a draw of the validation rows, (fits, 3)."""
    naming: Array
    """Test scores on the first half of each split, which names the oracle, (fits, splits)."""
    scoring: Array
    """Test scores on the second half, on which everybody is scored, (fits, splits)."""
    final_seconds: Array
    """Seconds of two more seeds and of the test split for each fit."""
    test: NDArray[np.bool_] | None = None
    """Whether each test answer is right, (fits, test rows); None if not known."""
    features: Mapping[str, FeatureScore] = field(default_factory=dict)
    fallback: int = 0
    """The row of the answer where a search has fitted nothing."""
    has_rungs: bool = True

    @property
    def grid_seconds(self) -> float:
        """Seconds of all fits at full length, each encoding once."""
        read = frozenset().union(*self.encodings)
        return float(self.seconds[:, 2].sum()) + sum(self.encoding_seconds[one] for one in read)

    def grid_pick(self, draw: int) -> int:
        """Returns the row that the whole grid picks: the best validation score of all fits, the first of equal ones."""
        usable = self.answered[:, 2] & ~self.constant[:, 2]
        usable = usable if usable.any() else self.answered[:, 2]
        return int(np.where(usable, self.validation(draw)[:, 2], -np.inf).argmax())

    def oracle_scores(self) -> Array:
        """Returns the score of each split's oracle, the best fit on its first half, on the second, (splits,)."""
        return self.scoring[self.naming.argmax(0), np.arange(self.naming.shape[1])]

    def row_of(self, proposal: Proposal) -> int:
        """Returns the row of a proposal's setting."""
        return self.rows[proposal.candidate, tuple(sorted(proposal.params.items()))]


class StoredFits:
    """The stored fits of a task as one search makes them: each encoding is charged to the first fit that reads it.

    Args:
        task: The stored fits.
        draw: Which draw of the validation rows the search is scored on.
        read: Encodings that have been charged already.
    """

    def __init__(self, task: ReplayTask, draw: int, read: frozenset[int] = frozenset()) -> None:
        self.candidates = task.candidates
        self.validation_rows = task.validation_rows
        self._task, self._scores, self._read = task, task.validation(draw), set(read)
        rows: list[list[int]] = [[] for _ in task.candidates]
        for (candidate, _), row in task.rows.items():
            rows[candidate].append(row)
        # A search knows what its candidates cost, not how long each setting of one will take.
        self._expected = [task.seconds[one].mean(0).tolist() for one in rows]
        self._first = [one[0] for one in rows]

    def cost(self, proposal: Proposal) -> float:
        """Returns the mean seconds of the candidate's settings, with the encodings that are not there yet."""
        expected: float = self._expected[proposal.candidate][RUNGS[proposal.part]]
        return expected + self._encoding(self._first[proposal.candidate])

    def fit(self, proposal: Proposal) -> Outcome:
        """Returns the stored outcome."""
        row, rung = self._task.row_of(proposal), RUNGS[proposal.part]
        seconds = float(self._task.seconds[row, rung]) + self._encoding(row)
        self._read |= self._task.encodings[row]
        score = float(self._scores[row, rung]) if self._task.answered[row, rung] else None
        return Outcome(proposal, score, seconds, bool(self._task.constant[row, rung]))

    def _encoding(self, row: int) -> float:
        return sum(self._task.encoding_seconds[one] for one in self._task.encodings[row] if one not in self._read)
