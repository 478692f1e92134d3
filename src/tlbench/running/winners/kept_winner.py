"""Rebuilds the winner of a finished cell: from its kept model, or by fitting it again as its record says."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell
from tlbench.contracts.errors import TlbenchError, UsageError
from tlbench.contracts.executor import Fit
from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.outputs import Predictions
from tlbench.contracts.record import FitResult, Record
from tlbench.contracts.task import Examples
from tlbench.modeling.data import Data, bare, checked
from tlbench.results.models.kept_models import KeptModel, best_fit, kept_models, unusable_model
from tlbench.results.models.model_folder import checked_predictor
from tlbench.running.fitting.context import CellContext
from tlbench.running.fitting.fit import Fitted, run_fits
from tlbench.running.fitting.measuring.timing import predict
from tlbench.running.fitting.saved_predictors import load_predictor
from tlbench.running.fitting.session import Session, resolve_device, restored_globals
from tlbench.running.winners.chosen_cell import finished_record
from tlbench.running.winners.same_predictions import difference
from tlbench.system.machine import gpus


@dataclass(frozen=True)
class KeptWinner:
    """A cell's winner, ready to predict."""

    record: Record
    fit: FitResult
    """The final fit that was rebuilt: that of the seed with the best validation score, unless another was asked for."""
    job: Job
    """The job of that fit; `job.encoder` has the fitted weights."""
    predictor: Predictor
    context: CellContext = field(repr=False)
    was_kept: bool
    """Whether its weights were read from a kept model; if not, it was fitted again."""
    notes: tuple[str, ...] = ()
    """What the user should know, a line each: why a kept model is not used, how predictions differ from the stored."""

    def featurize(self, examples: Examples) -> Data:
        """Returns examples as the backbone reads them, without keeping them in any cache.

        Raises:
            PluginError: The backbone dropped examples, or returned rows that do not fit together.
        """
        if self.context.backbone is None:
            return bare(examples)
        return checked(self.context.backbone.item.featurize(examples, self.job.task.output), examples)

    def predict(self, examples: Examples) -> Predictions:
        """Returns one prediction for each example, in order; targets are not read.

        Raises:
            PluginError: The predictor broke its contract.
            Diverged: A prediction is not finite.
        """
        data = self.featurize(examples.without_targets())
        try:
            return predict(self.predictor, data)
        finally:
            # Of this rows' activations nothing is needed again, and a predictor may have made some of rows of its own.
            self.job.activations.clear()


def kept_winner(
    cell: str,
    out: Path,
    catalog: Catalog,
    *,
    device: str = "auto",
    seed: int | None = None,
) -> KeptWinner:
    """Returns the winner of a finished cell, rebuilt.

    If the model of the seed was kept, it is loaded. Otherwise the winner is fitted again with the record's params, seed
    and protocol, and its test predictions are compared with the stored ones: on an equal machine, with equal versions
    and data, they are equal to the bit.

    Args:
        cell: The id of the cell, the beginning of its id, or its title "backbone | task | strategy".
        out: The results folder.
        catalog: The installed plugins.
        device: `auto`, `cpu`, `cuda` or `cuda:<n>`; `auto` is the device of the record if this machine has it.
        seed: The seed of the final fit; None for that with the best validation score.

    Raises:
        UsageError: There is no such cell or seed, a plugin or its data are missing, or the fit failed.
    """
    record = finished_record(cell, out)
    context = context_of(record, catalog, device)
    winner = _rebuilt(record, out, context, seed)
    # Activations of what is predicted from now on are of no use to other processes.
    context.session.activations.disk = None
    return winner


def _rebuilt(record: Record, out: Path, context: CellContext, seed: int | None) -> KeptWinner:
    fit = _chosen(record, seed, context.metric.greater_is_better)
    notes = _changes(record.cell, context)
    with restored_globals():
        torch.set_num_threads(context.session.threads)
        for model in kept_models(out, record):
            if model.manifest.seed == fit.seed:
                loaded, note = _loaded(model, fit, record, context)
                notes += [note] if note else []
                if loaded is not None:
                    return KeptWinner(record, fit, *loaded, context, True, tuple(notes))
        if problem := unusable_model(out, record, fit):
            notes.append(f"the kept model is not used: {problem}")
        fitted = fitted_again(fit, record, context)
        assert fitted.job is not None
        assert fitted.predictor is not None
        try:
            note = difference(fitted.predictor, fit.seed, record, out, context)
        except TlbenchError as error:
            note = f"its test predictions could not be compared: {' '.join(str(error).split())}"
        notes += [note] if note else []
        return KeptWinner(record, fit, fitted.job, fitted.predictor, context, False, tuple(notes))


def context_of(record: Record, catalog: Catalog, device: str) -> CellContext:
    """Returns the data and models of a record's cell on this machine, in the precision of the record.

    Raises:
        UsageError: A plugin, the data or the weights are not here.
    """
    made_on = record.provenance
    if device == "auto":
        device = "cuda" if gpus() and not made_on.device.startswith("cpu") else "cpu"
    session = Session(catalog, resolve_device(device), made_on.threads or torch.get_num_threads())
    task = record.cell.task.name
    try:
        missing = catalog.task(task).item.missing()
    except UsageError as error:
        # The rest of the message is for those who choose a task.
        found = str(error).partition("; drop @")[0]
        raise UsageError(
            f"{found}; the winner is rebuilt with the data of its run: put them back, or run again and use the new cell"
        ) from None
    if missing:
        raise UsageError(f"{task}: the winner is rebuilt with the task's data: {missing}")
    if record.cell.backbone and (missing := catalog.backbone(record.cell.backbone.name).item.missing()):
        raise UsageError(missing)
    return CellContext(record.cell, session, made_on.precision or "fp32")


def _chosen(record: Record, seed: int | None, greater_is_better: bool) -> FitResult:
    if seed is None:
        return best_fit(record.fits, greater_is_better)
    for fit in record.fits:
        if fit.seed == seed:
            return fit
    seeds = ", ".join(str(fit.seed) for fit in record.fits)
    raise UsageError(f"{record.cell.id}: no final fit has the seed {seed}; the seeds are {seeds}")


def _changes(cell: Cell, context: CellContext) -> list[str]:
    """Returns notes on objects whose version is not that of the cell."""
    strategy, task = context.strategy, context.task.item
    version = strategy.item.version_for(context.backbone.item if context.backbone else None, task)
    now = [(cell.strategy, version), (cell.task, context.task.ref.version)]
    now += [(cell.backbone, context.backbone.ref.version)] if cell.backbone and context.backbone else []
    return [
        f"{ref.name} has version {found} now, and the result was made with {ref.version}"
        for ref, found in now
        if ref.version != found
    ]


def _loaded(
    model: KeptModel, fit: FitResult, record: Record, context: CellContext
) -> tuple[tuple[Job, Predictor] | None, str]:
    """Returns the job and predictor of a kept model, or None, and a note on why it is not used."""
    try:
        folder = checked_predictor(model.folder)
        job, predictor, _ = load_predictor(folder, _fit(fit, record), context, "final")
    except context.session.caught as error:
        # A plugin's `load` may raise anything for files from somebody else; the fit is repeated then.
        kind = "" if isinstance(error, TlbenchError) else f"{type(error).__name__}: "
        return None, f"the kept model is not used: {kind}{' '.join(str(error).split())}"
    return (job, predictor), ""


def fitted_again(fit: FitResult, record: Record, context: CellContext) -> Fitted:
    """Returns the final fit, run again.

    Raises:
        UsageError: The fit failed.
    """
    fits = [fit]
    if context.strategy.item.batch_size > 1:
        # In one pass, as in the run: a fit depends in its last bits on the others of its pass.
        fits = [one for one in record.fits if not one.taken_over or one.seed == fit.seed]
    fitted = run_fits([_fit(one, record) for one in fits], context, "final")
    wanted = next(one for one in fitted if one.result.seed == fit.seed)
    if wanted.predictor is None:
        raise UsageError(f"{record.cell.title}: the winner could not be fitted again: {wanted.result.reason}")
    return wanted


def _fit(fit: FitResult, record: Record) -> Fit:
    searched: dict[str, float] = {}
    if record.cell.protocol.trains_on_validation:
        with suppress(StopIteration):
            searched = next(trial.notes for trial in record.longest_trials if trial.trial == fit.trial)
    return Fit(fit.trial, fit.seed, fit.params, searched)
