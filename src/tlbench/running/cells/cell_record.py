"""Builds the record of a cell from its fits and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from tlbench.contracts.executor import OrderResult
from tlbench.contracts.record import PAID, FitResult, Record, Seconds
from tlbench.results.notes.floor_notes import stopped_for_futility
from tlbench.results.notes.provenance_notes import stopped_early
from tlbench.running.cells.attempt import Attempt
from tlbench.running.cells.cell_folder import CellFolder, Winner
from tlbench.running.cells.hyperparameters import CellSettings
from tlbench.running.cells.reused_fits import reused_seconds
from tlbench.running.memory.oom_ladder import divided_text

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class CellFits:
    """All fits of a cell, and its winner."""

    trials: tuple[FitResult, ...]
    finals: tuple[FitResult, ...]
    winner: Winner
    futility: str = ""
    """Why only the first seed was fitted; empty if all were."""


def build_record(attempt: Attempt, settings: CellSettings, fits: CellFits, scored: OrderResult) -> Record:
    """Returns the record of a cell with scores; total time, memory and energy are left for the caller to fill in."""
    info, finals = settings.info, fits.finals
    divided = divided_text((*fits.trials, *finals), settings.batch_rows)
    first = finals[0]
    return Record(
        cell=attempt.cell,
        status="ok",
        attempt=attempt.number,
        reason="; ".join(filter(None, (_stopped(attempt, fits), _futile(attempt, fits), divided, scored.left_out))),
        metrics=info.metrics,
        positive=info.positive,
        best_params=fits.winner.params,
        trials=tuple(map(_without_losses, fits.trials)),
        trials_planned=fits.winner.trials_planned,
        # The files of single seeds are not kept, and the digests of the others are in the record.
        fits=tuple(msgspec.structs.replace(fit, digests={}) for fit in finals),
        # Without a search nothing chose the winner by its score; the final fit of the first seed has one.
        validation=first.validation if fits.winner.validation is None else fits.winner.validation,
        scores=scored.scores,
        report=scored.report,
        floor=scored.floor,
        test_groups=scored.test_groups,
        overlap=scored.overlap,
        predictions=scored.predictions,
        validation_predictions=scored.validation_predictions,
        no_validation_predictions=scored.no_validation_predictions,
        digests=scored.digests,
        seconds=seconds_of(fits.trials, finals),
        parameters=first.parameters,
        trainable_parameters=first.trainable_parameters,
        examples_seen=round(sum(fit.examples_seen for fit in finals) / len(finals)),
        truncated=_mean_shares([fit.truncated for fit in finals]),
        provenance=scored.made_with,
    )


def _without_losses(trial: FitResult) -> FitResult:
    """Returns a fit of the search without its training losses, of which a record has those of the final fits alone."""
    scored = tuple(point for point in trial.history if point.score is not None)
    return msgspec.structs.replace(trial, history=scored)


def _mean_shares(fits: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Returns each split's share of truncated examples, as the mean over the fits for which it is known."""
    known = {split: [shares[split] for shares in fits if split in shares] for split in _SPLITS}
    return {split: sum(shares) / len(shares) for split, shares in known.items() if shares}


def with_measurements(record: Record, folder: CellFolder, elapsed: float, energy_joules: float | None) -> Record:
    """Returns a record with the measurements of the whole cell.

    Args:
        record: The record of the cell, with scores or without.
        folder: The cell's folder, which has the provenances, the highest memory use and the reads of the test split.
        elapsed: The time in seconds that the cell was worked on.
        energy_joules: The energy of the cell's own fits; None if it was not measured.
    """
    fits = (*record.trials, *record.fits)
    known = folder.provenances()
    provenance = record.provenance if record.status == "ok" or not known else known[-1]
    total = elapsed + reused_seconds(record.cell, record.trials, record.fits)
    return msgspec.structs.replace(
        record,
        provenance=provenance,
        memory=folder.memory(),
        # Reused fits were not measured here, and a sum without them would look too small.
        energy_joules=None if any(fit.taken_over for fit in fits) else energy_joules,
        seconds=msgspec.structs.replace(record.seconds, total=total),
        test_reads=folder.test_reads,
        also_made_with=tuple(one for one in known if provenance.differing(one)),
    )


def _stopped(attempt: Attempt, fits: CellFits) -> str:
    planned, limit = fits.winner.trials_planned, attempt.cell.protocol.max_seconds
    if planned is None:
        return ""
    stopped = stopped_early(len({trial.trial for trial in fits.trials}), planned)
    return stopped + (f" (max_seconds {limit:g})" if limit else "")


def _futile(attempt: Attempt, fits: CellFits) -> str:
    seeds = len(attempt.cell.protocol.seeds)
    return f"{stopped_for_futility(len(fits.finals), seeds)} ({fits.futility})" if fits.futility else ""


def seconds_of(trials: tuple[FitResult, ...], finals: tuple[FitResult, ...]) -> Seconds:
    """Returns the mean costs of one final fit, and the total costs of the search and of encoding."""

    def mean(field: str) -> float:
        return float(sum(getattr(fit, field) for fit in finals)) / len(finals)

    return Seconds(
        setup=mean("setup_seconds"),
        encode=mean("encode_seconds"),
        encode_paid=sum(fit.encode_paid_seconds for fit in (*trials, *finals)),
        fit=mean("fit_seconds"),
        search=sum(getattr(trial, field) for trial in trials for field in PAID),
        predict=mean("predict_seconds"),
    )
