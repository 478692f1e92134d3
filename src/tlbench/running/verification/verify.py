"""Verifies a submission: every record is checked as far as this machine can, and gets a tier."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Plan
from tlbench.contracts.errors import TlbenchError, UsageError
from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Record
from tlbench.metrics import METRICS
from tlbench.results.records.kept_predictions import SUFFIX, VALIDATION_SUFFIX
from tlbench.results.records.record_files import record_of
from tlbench.results.submissions.submitted_files import SubmittedFiles, UnreadableFile
from tlbench.results.submissions.tiers import CheckedCell, Tier, digest_of, lower
from tlbench.running.verification.missing_parts import missing_parts
from tlbench.running.verification.own_data import NoOwnData, own_data
from tlbench.running.verification.record_faults import record_faults
from tlbench.running.verification.rerun import rerun
from tlbench.running.verification.stored_answers import BadPredictions, StoredAnswers, read_answers, score_faults
from tlbench.system.integrity.sealed_json import unsealed
from tlbench.system.version import VERSION


@dataclass
class CheckedRecord:
    """What was found out about one record."""

    file: str
    cell: str = ""
    title: str = ""
    status: str = ""
    tier: Tier = "self-reported"
    faults: list[str] = field(default_factory=list)
    """Why it is rejected, a line each; empty if it is not."""
    notes: list[str] = field(default_factory=list)
    """What could not be checked, and what a new fit gave."""
    digest: str = ""
    """The digest of the record and its predictions."""


@dataclass
class Verified:
    """The outcome for a submission."""

    records: list[CheckedRecord]
    faults: dict[str, str]
    """What is wrong with files that are no record, by file."""
    ignored: tuple[str, ...]
    name: str = ""

    @property
    def is_accepted(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults and not any(one.faults for one in self.records)

    @property
    def tier(self) -> Tier | None:
        """The weakest tier of the records with scores; None if there are none, or if something is wrong."""
        scored = [one.tier for one in self.records if one.status == "ok"]
        if not scored or not self.is_accepted:
            return None
        weakest = scored[0]
        for tier in scored:
            weakest = lower(weakest, tier)
        return weakest

    def tiers(self) -> dict[str, CheckedCell]:
        """Returns the entries of a file of tiers for the records that were accepted above self-reported."""
        today = datetime.now(UTC).date().isoformat()
        return {
            one.digest: CheckedCell(one.tier, one.cell, today, VERSION)
            for one in self.records
            if one.status == "ok" and not one.faults and one.tier != "self-reported"
        }


def verify(
    files: SubmittedFiles,
    catalog: Catalog,
    again: Collection[str] = (),
    device: str = "auto",
    read_files: bool = False,
    told: Callable[[str], None] = lambda text: None,
) -> Verified:
    """Checks every file of a submission.

    Args:
        files: The opened submission.
        catalog: The installed plugins.
        again: Ids of cells, or beginnings of ids, whose winner is fitted again here; "all" for every cell.
        device: The device of these fits.
        read_files: Whether to read files that names of tasks give, such as "csv:reviews.csv".
        told: Called with a line before each of these fits.

    Raises:
        UsageError: There is no cell with such an id.
    """
    names = [name for name in (*files.names, *files.faults) if name.startswith("records/") and name.endswith(".json")]
    names = sorted(set(names))
    ids = {name: PurePosixPath(name).name.partition(".")[0] for name in names}
    for beginning in again:
        if beginning != "all" and not any(one.startswith(beginning) for one in ids.values()):
            raise UsageError(f"--rerun {beginning}: {files.root} has no cell whose id begins with this")
    outcome = Verified([], dict(_other_faults(files, set(names))), files.ignored)
    outcome.name = files.manifest.name if files.manifest else ""
    for name in names:
        check = _Check(files, catalog, name, read_files)
        check.run()
        wanted = any(one == "all" or ids[name].startswith(one) for one in again)
        # Without the targets of the task here, a new fit has nothing to be compared on.
        if wanted and check.found.tier == "recomputed":
            told(f"fitting again: {check.found.title}")
            check.run_again(device)
        outcome.records.append(check.found)
    return outcome


def _other_faults(files: SubmittedFiles, records: set[str]) -> Iterator[tuple[str, str]]:
    yield from ((name, reason) for name, reason in files.faults.items() if name not in records)
    own = {name.removesuffix(".json") for name in records}
    for name in files.names:
        if name in files.faults or name in records or name == "submission.json":
            continue
        try:
            content = files.read(name)
        except UnreadableFile as error:
            yield name, str(error)
            continue
        if name == "plan.json":
            try:
                msgspec.json.decode(unsealed(content), type=Plan)
            except (ValueError, RecursionError) as error:
                yield name, f"it cannot be read: {' '.join(str(error).split())}"
        if name.endswith(SUFFIX) and name.removesuffix(VALIDATION_SUFFIX).removesuffix(SUFFIX) not in own:
            yield name, "these are predictions without a record"


class _Check:
    """The check of one record."""

    def __init__(self, files: SubmittedFiles, catalog: Catalog, name: str, read_files: bool) -> None:
        self._files, self._catalog, self._name, self._read_files = files, catalog, name, read_files
        self.found = CheckedRecord(name, PurePosixPath(name).name.partition(".")[0])
        self._record: Record | None = None
        self._answers: StoredAnswers | None = None

    def run(self) -> None:
        """Checks the record without fitting anything."""
        try:
            self._run()
        except (UnreadableFile, BadPredictions) as error:
            self.found.faults.append(str(error))

    def run_again(self, device: str) -> None:
        """Fits the winner again and compares."""
        assert self._record is not None
        assert self._answers is not None
        found = self.found
        try:
            outcomes = list(rerun(self._record, self._answers, self._catalog, device))
        except TlbenchError as error:
            found.notes.append(f"not fitted again: {' '.join(str(error).split())}")
            return
        for one in outcomes:
            text = f"seed {one.seed}: {one.agreement:.1%} of the answers agree, {one.stored:.4f} and {one.again:.4f}"
            found.notes.append(f"fitted again: {text}")
            if one.fault:
                found.faults.append(f"fitted again, seed {one.seed}: {one.fault}")
        if not found.faults and found.tier == "recomputed":
            found.tier = "re-run"

    def _run(self) -> None:
        content = self._files.read(self._name)
        record = record_of(self._files.root / self._name, content)
        if not isinstance(record, Record):
            self.found.faults.append(record.message)
            return
        self._record, found = record, self.found
        found.title, found.status = record.cell.title, record.status
        stem = PurePosixPath(self._name).name.removesuffix(".json")
        self._check_names(record, stem)
        if found.faults:
            return
        contents = [self._files.read(f"records/{name}") for name in _predictions(record)]
        found.digest = digest_of([content, *contents])
        if record.status != "ok":
            if record.scores:
                found.faults.append(f"it is {record.status} and has scores")
            return
        metrics = self._metrics(record)
        if not metrics:
            return
        found.faults += list(missing_parts(record, content, self._catalog))
        found.faults += list(record_faults(record, metrics[0]))
        if record.predictions is None:
            found.notes.append("it has no predictions: nothing can be computed again")
            return
        if found.faults:
            return
        seeds = [fit.seed for fit in record.fits]
        self._answers = read_answers(contents[0], seeds, record.positive)
        validation = read_answers(contents[1], seeds, record.positive) if len(contents) > 1 else None
        self._check_scores(record, validation, metrics)

    def _check_names(self, record: Record, stem: str) -> None:
        for name, suffix in ((record.predictions, SUFFIX), (record.validation_predictions, VALIDATION_SUFFIX)):
            if name not in {None, f"{stem}{suffix}"}:
                self.found.faults.append("it names the predictions of another record")
            if name is None and f"records/{stem}{suffix}" in self._files.names:
                self.found.faults.append(f"{stem}{suffix} is there, and the record does not name it")

    def _metrics(self, record: Record) -> list[Metric]:
        metrics = []
        for name in record.metrics:
            try:
                metrics.append(METRICS.get(name) or self._catalog.metric(name))
            except UsageError as error:
                reason = " ".join(str(error).split())
                self.found.faults.append(f"{reason}: install the plugin that brings it, or nothing can be checked")
                return []
        if not metrics:
            self.found.faults.append("it names no metric")
        return metrics

    def _check_scores(self, record: Record, validation: StoredAnswers | None, metrics: Sequence[Metric]) -> None:
        assert self._answers is not None
        found = self.found
        try:
            own = own_data(record, self._catalog, self._read_files)
        except NoOwnData as error:
            found.notes.append(f"its targets were not checked: {error}")
            found.faults += list(score_faults(record, self._answers, metrics, None))
            return
        found.faults += list(own.faults(record, self._answers, validation, list(metrics)))
        found.faults += list(score_faults(record, self._answers, metrics, own.task))
        if not found.faults:
            found.tier = "recomputed"


def _predictions(record: Record) -> list[str]:
    return [name for name in (record.predictions, record.validation_predictions) if name]
