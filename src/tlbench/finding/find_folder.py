"""The folder of a search: finished fits are on disk, so that a kill loses only the fits in progress.

lock               locked by the process that works on the search
request.json       what was asked
setting.json       what was decided before the first fit: the protocol and the candidates
clock              the seconds that the search has taken so far
latencies.json     how long each backbone takes to predict, if the request limits it
fits/<n>/          the n-th proposal of the policy, from 0, as the folder of a cell (`cell_folder.py`) and beside it
  proposal.json    what was proposed, and the seconds that it was expected to take
  outcome.json     what the fit gave; missing while it runs, and after a kill
folds.json         the scores by cross-validation, where there are few validation rows
finals.json        the settings that get final fits and their seeds; no test split is opened before it is on disk
answer.json        the answer
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from tlbench.contracts.cell import Protocol
from tlbench.contracts.fits.latency import Latency
from tlbench.contracts.policies.policy import Proposal
from tlbench.contracts.record import FitResult
from tlbench.contracts.space import Value
from tlbench.finding.request import FindRequest
from tlbench.running.cells.cell_folder import CellFolder, Lease
from tlbench.system.durable import write_durably
from tlbench.system.integrity.sealed_files import read_sealed, write_sealed, write_sealed_quickly
from tlbench.system.integrity.sealed_json import sealed

T = TypeVar("T")


class SearchSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a search that must be unchanged for it to be resumed."""

    protocol: Protocol
    candidates: tuple[str, ...]
    """The ids of the candidates' cells, in order."""
    data: str = ""
    """A digest of the training and validation rows."""
    priors: tuple[float, ...] = ()
    """How the candidates ranked in earlier searches when this one began."""
    titles: tuple[str, ...] = ()
    metric: str = ""
    greater_is_better: bool = True


class StoredProposal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fit that the policy proposed."""

    candidate: int
    params: dict[str, Value]
    part: int | None = None
    reason: str = ""
    expected_seconds: float = 0.0
    load: float = 0.0
    """The machine's load average over a minute when the fit began: above the number of cores, prices are too high."""

    @property
    def proposal(self) -> Proposal:
        """The proposal as policies know it."""
        return Proposal(self.candidate, self.params, self.part, self.reason)


class StoredOutcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The stored result of a fit."""

    status: str
    """As `FitResult.status`, or `crashed` for a lost worker and `timeout` for a fit that the deadline cut off."""
    seconds: float
    """Seconds from the submission of the order to its answer."""
    score: float | None = None
    """The validation score, with the metric's own sign; of a stopped fit, that at its stop."""
    is_constant: bool = False
    reason: str = ""
    fit: FitResult | None = None

    @property
    def work_seconds(self) -> float:
        """The time of the fit's own work, with its encoding even if it was shared, without the start of its worker."""
        one = self.fit
        if one is None:
            return self.seconds
        return one.setup_seconds + one.encode_seconds + one.fit_seconds + one.validate_seconds

    @property
    def ran_whole(self) -> bool:
        """Whether the fit ran to its end, also if it should have been stopped."""
        return self.status == "ok"


class StoredFit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A proposal with its outcome; None while it has none."""

    number: int
    proposed: StoredProposal
    outcome: StoredOutcome | None = None


class FindFolder:
    """Reads and writes the files of one search."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "fits").mkdir(parents=True, exist_ok=True)

    def lease(self) -> Lease | None:
        """Takes and returns the exclusive right to work on the search; None if another process has it."""
        return CellFolder(self.root).lease()

    @property
    def clock(self) -> Path:
        """The path of the file with the seconds so far."""
        return self.root / "clock"

    def fit_folder(self, number: int) -> Path:
        """Returns the folder of a proposal, which is created if it does not exist."""
        folder = self.root / "fits" / str(number)
        folder.mkdir(exist_ok=True)
        return folder

    def save_request(self, request: FindRequest) -> None:
        """Stores what was asked."""
        write_sealed(self.root / "request.json", request)

    def request(self) -> FindRequest | None:
        """Returns what was asked, or None."""
        return read_sealed(self.root / "request.json", FindRequest)

    def setting(self) -> SearchSetting | None:
        """Returns what was decided before the first fit, or None."""
        return read_sealed(self.root / "setting.json", SearchSetting)

    def save_setting(self, setting: SearchSetting) -> None:
        """Stores what is decided before the first fit."""
        write_sealed(self.root / "setting.json", setting)

    def latencies(self) -> dict[str, tuple[Latency, ...]]:
        """Returns the latencies that were measured, by backbone."""
        return read_sealed(self.root / "latencies.json", dict[str, tuple[Latency, ...]]) or {}

    def save_latencies(self, latencies: dict[str, tuple[Latency, ...]]) -> None:
        """Stores latencies by backbone."""
        write_sealed_quickly(self.root / "latencies.json", latencies)

    def save_proposal(self, number: int, proposal: StoredProposal) -> None:
        """Stores a proposal, before its fit is submitted."""
        write_sealed_quickly(self.fit_folder(number) / "proposal.json", proposal)

    def save_outcome(self, number: int, outcome: StoredOutcome) -> None:
        """Stores the result of a fit; its predictions must be on disk already."""
        folder = self.fit_folder(number)
        if outcome.fit is not None:
            CellFolder(folder).save_trials([outcome.fit])
        write_sealed_quickly(folder / "outcome.json", outcome)

    def fits(self) -> list[StoredFit]:
        """Returns the proposals so far with their outcomes, in order; a damaged proposal ends the list."""
        found: list[StoredFit] = []
        while True:
            folder = self.root / "fits" / str(len(found))
            if (proposal := read_sealed(folder / "proposal.json", StoredProposal)) is None:
                break
            outcome = read_sealed(folder / "outcome.json", StoredOutcome)
            if outcome and outcome.fit and not CellFolder(folder).has_whole_files((), outcome.fit.digests):
                outcome = None  # the fit is repeated, as after a kill
            found.append(StoredFit(len(found), proposal, outcome))
        return found

    def fold_scores(self) -> dict[int, float | None]:
        """Returns the scores by cross-validation by number of the fit; None for one that failed."""
        return read_sealed(self.root / "folds.json", dict[int, float | None]) or {}

    def save_fold_scores(self, scores: dict[int, float | None]) -> None:
        """Stores scores by cross-validation."""
        write_sealed_quickly(self.root / "folds.json", scores)

    def save_finals(self, content: bytes) -> None:
        """Stores the choice of the finalists; after that the test split may be opened."""
        write_durably(self.root / "finals.json", sealed(content))

    def finals(self, kind: type[T]) -> T | None:
        """Returns the choice of the finalists, or None if it is not made yet."""
        return read_sealed(self.root / "finals.json", kind)

    def save_answer(self, content: bytes) -> None:
        """Stores the answer."""
        write_durably(self.root / "answer.json", sealed(content))

    def answer(self, kind: type[T]) -> T | None:
        """Returns the answer, or None if the search has not ended."""
        return read_sealed(self.root / "answer.json", kind)


def saved_folder(fit_folder: Path) -> Path:
    """Returns the folder of the saved weights of a fit, which may not exist."""
    return fit_folder / "saved-0"
