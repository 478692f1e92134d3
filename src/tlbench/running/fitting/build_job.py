"""Builds the `Job` of a fit: everything that the strategy may see."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
import torch

from tlbench.contracts.errors import Diverged, PluginError, Pruned
from tlbench.contracts.executor import RUNG_PARTS, Fit, step_of_part
from tlbench.contracts.fits.job import NO_VALIDATION, Job
from tlbench.contracts.fits.other_models import LoadedBackbone, OtherOutput, OtherTask
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.outputs import Output, Predictions
from tlbench.contracts.record import Point
from tlbench.contracts.task import Examples
from tlbench.metrics.resampling import score
from tlbench.metrics.scored_arrays import scored_of
from tlbench.modeling.data import Data
from tlbench.modeling.heads import Head
from tlbench.running.fitting.context import CellContext, FitData
from tlbench.running.fitting.measuring.timing import FitTimers, predict
from tlbench.running.search.pruners import should_prune


class ProgressReporter:
    """The function `Job.report`: records a fit's history, and stops the fit at its length or below a threshold."""

    def __init__(self, context: CellContext, stop_below: Mapping[int, float], stop_part: int | None = None) -> None:
        self._sign = 1.0 if context.metric.greater_is_better else -1.0
        self._max_steps = context.cell.protocol.max_steps
        self._stop_below, self._stop_part = stop_below, stop_part
        self._points: list[Point] = []

    @property
    def points(self) -> tuple[Point, ...]:
        """The reports so far."""
        return tuple(self._points)

    def __call__(self, step: int, score: float, loss: float | None = None, total: int | None = None) -> None:
        """Adds a validation score.

        Args:
            step: The step of training.
            score: The validation score of the primary metric, with the metric's own sign.
            loss: The training loss, if the strategy reports it.
            total: The number of steps of the whole fit; None for `max_steps`.

        Raises:
            Diverged: The score is not finite.
            Pruned: The fit has the length that was ordered, or its best score so far is below the search's threshold at
                this step.
        """
        if not np.isfinite(score):
            raise Diverged(f"the validation score at step {step} is not finite")
        self._points.append(Point(int(step), float(score), loss if loss is not None and np.isfinite(loss) else None))
        best = max(self._sign * point.score for point in self._points if point.score is not None)
        if self._stop_below and should_prune(self._stop_below, step, best):
            raise Pruned(f"pruned at step {step}")
        whole = total or self._max_steps
        # A report at the last step is of the whole fit, which has nothing to stop.
        if self._stop_part is not None and whole and step_of_part(whole, self._stop_part) <= step < whole:
            raise Pruned(f"stopped after {step} of {whole} steps")


def build_job(
    fit: Fit,
    context: CellContext,
    encoder: Any,
    data: FitData,
    report: ProgressReporter,
    timers: FitTimers,
) -> Job:
    """Returns the job of a fit, with a new head and a new meter of its training data."""
    seed, info, validation = fit.seed, context.info, data.validation
    # All params of a seed start from the same head, so that they differ in nothing else.
    encoder = None if encoder is None else context.task.item.output.view(encoder)
    seed_everything(seed)
    head = context.head(encoder) if encoder is not None else None

    def score_validation(predictor: Predictor) -> float:
        if validation is None:
            raise PluginError(NO_VALIDATION)
        group = context.session.group
        with timers.timing(timers.validate):
            return group.from_first(lambda: validation_score(context, validation, predict(predictor, validation)))

    def once(key: str, make: Callable[[], Any]) -> Any:
        # What was computed from the training examples of one fold must not reach the fit that is validated on them.
        key = f"{data.name}: {key}" if data.name else key
        before = timers.setup.seconds
        with timers.timing(timers.setup), _own_random_numbers(seed):
            value, is_new = context.once(seed, key, make)
        # A value from an earlier fit is charged too: the fit's set-up time is what it would take alone.
        if is_new:
            context.once_seconds[seed, key] = timers.setup.seconds - before
        timers.once_seconds[seed, key] = context.once_seconds[seed, key]
        return value

    # Functions that create weights seed the generators first, so that the result does not depend on earlier calls.
    def load(pretrained: bool = True) -> Any:
        seed_everything(seed)
        return context.load(pretrained)

    def new_head(encoder: Any) -> Any:
        seed_everything(seed)
        return context.head(encoder)

    def unlabeled() -> Data | None:
        examples = context.unlabeled(seed, data)
        return None if examples is None else context.data(examples)

    def backbone(name: str) -> LoadedBackbone:
        seed_everything(seed)
        return context.other_backbone(name)

    def other(name: str) -> OtherTask:
        return context.other_task(name, encoder)

    def reading(output: Output) -> OtherOutput:
        other = context.other_output(output, encoder)

        def new_other_head() -> Head:
            seed_everything(seed)
            return other.new_head()

        return OtherOutput(other.featurize, new_other_head)

    def featurize(examples: Examples) -> Data:
        return context.data(examples)

    protocol = context.cell.protocol.of_fit(seed)
    if fit.stop_part is not None and protocol.pruner == "none":
        # A search within a budget stops fits of cells that have no pruner: strategies report as under one by rungs.
        protocol = msgspec.structs.replace(protocol, pruner="halving-rungs")
    if validation is None:
        # Without a validation split there are no scores to report.
        protocol = msgspec.structs.replace(protocol, pruner="none")
    return Job(
        encoder=encoder,
        head=head,  # type: ignore[arg-type]  # a strategy without a backbone has no head
        train=data.train.metered(),
        held_out=validation,
        unlabeled=unlabeled,
        task=info,
        metric=context.metric,
        params=fit.params,
        protocol=protocol,
        seed=seed,
        device=context.session.device,
        precision=context.precision,
        activations=context.session.activations,
        featurize=featurize,
        load=load,
        new_head=new_head,
        examples=context.examples(seed, data),
        score=score_validation,
        reading=reading,
        classifier=lambda: context.backbone.item.classifier(encoder) if context.backbone else None,
        card=lambda: context.card,
        report=report,
        once=once,
        backbone=backbone,
        other=other,
        report_parts=() if fit.stop_part is None or fit.stop_part in RUNG_PARTS else (fit.stop_part,),
        searched=fit.searched,
        batch_parts=fit.batch_parts,
        device_group=context.session.group,
    )


def validation_score(context: CellContext, validation: Data, predictions: Predictions) -> float:
    """Returns the primary metric of predictions of the validation split.

    Raises:
        PluginError: A prediction does not have the form of the output, or the metric failed.
        Diverged: The predictions are too large for the metric.
    """
    info = context.info
    targets = [example.target for example in validation.examples]
    scored = scored_of(info.output, targets, predictions, info.positive)
    try:
        return score(context.metric, scored)
    except PluginError as error:
        raise PluginError(f"validation split: {error}") from error


@contextmanager
def _own_random_numbers(seed: int) -> Iterator[None]:
    """Seeds the random generators for the block and restores them afterwards.

    So the random numbers of later code are the same whether or not the block ran.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    seed_everything(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed)
    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:
        # For each kind of device that this machine lacks, torch.manual_seed would queue a call together with its stack
        # trace, and the queue would only ever grow.
        torch.default_generator.manual_seed(seed)
