"""Everything that one fit may see."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from tlbench.contracts.errors import Diverged, Pruned
from tlbench.contracts.executor import Fit
from tlbench.contracts.record import Point
from tlbench.contracts.strategy import Job, LoadedBackbone, OtherTask, Predictor
from tlbench.contracts.task import Examples
from tlbench.metrics.resampling import score
from tlbench.metrics.scored import scored_of
from tlbench.modeling.data import Data
from tlbench.running.fitting.context import CellContext
from tlbench.running.fitting.timing import Watches, predict
from tlbench.running.search.pruners import should_prune


class Reports:
    """What a fit reports on its way: kept as its history, and held against what the search demands."""

    def __init__(self, context: CellContext, stop_below: Mapping[int, float]) -> None:
        self._sign = 1.0 if context.metric.greater_is_better else -1.0
        self._stop_below = stop_below
        self._points: list[Point] = []

    @property
    def points(self) -> tuple[Point, ...]:
        """What was reported so far."""
        return tuple(self._points)

    def __call__(self, step: int, score: float, loss: float | None = None) -> None:
        """Takes a validation score.

        Raises:
            Diverged: It is not finite.
            Pruned: It is lower than the search demands at this step.
        """
        if not np.isfinite(score):
            raise Diverged(f"the validation score at step {step} is not finite")
        self._points.append(Point(int(step), float(score), loss if loss is not None and np.isfinite(loss) else None))
        best = max(self._sign * point.score for point in self._points if point.score is not None)
        if should_prune(self._stop_below, step, best):
            raise Pruned(f"pruned at step {step}")


def job_of(
    fit: Fit,
    context: CellContext,
    encoder: Any,
    train: Data,
    validation: Data,
    report: Reports,
    watches: Watches,
) -> Job:
    """Returns the job of a fit, with a new head and this fit's own meters."""
    seed, limit = fit.seed, context.cell.protocol.train_limit
    targets, info = [example.target for example in validation.examples], context.info
    # Every setting of a seed starts from the same head.
    seed_everything(seed)
    head = context.head(encoder) if encoder is not None else None

    def validated(predictor: Predictor) -> float:
        with watches.charging(watches.validate):
            predictions = predict(predictor, validation)
            return score(context.metric, scored_of(info.output, targets, predictions, info.positive))

    def once(key: str, make: Callable[[], Any]) -> Any:
        before = watches.setup.seconds
        with watches.charging(watches.setup), _own_random_numbers(seed):
            made, is_new = context.once(seed, key, make)
        if is_new:
            context.once_seconds[seed, key] = watches.setup.seconds - before
        watches.once[seed, key] = context.once_seconds[seed, key]
        return made

    def load(pretrained: bool = True) -> Any:
        seed_everything(seed)
        return context.load(pretrained)

    def new_head(encoder: Any) -> Any:
        seed_everything(seed)
        return context.head(encoder)

    def unlabeled() -> Data | None:
        examples = context.splits.unlabeled(seed, limit)
        return None if examples is None else context.data(examples)

    def backbone(name: str) -> LoadedBackbone:
        seed_everything(seed)
        return context.other_backbone(name)

    def other(name: str) -> OtherTask:
        return context.other_task(name, encoder)

    def featurize(examples: Examples) -> Data:
        return context.data(examples)

    return Job(
        encoder=encoder,
        head=head,  # type: ignore[arg-type]  # a strategy that looks through no backbone has none
        train=train,
        validation=validation,
        unlabeled=unlabeled,
        task=info,
        params=fit.params,
        protocol=context.cell.protocol.of_fit(seed),
        seed=seed,
        device=context.session.device,
        precision=context.precision,
        activations=context.session.activations,
        featurize=featurize,
        load=load,
        new_head=new_head,
        examples=context.examples(seed),
        score=validated,
        report=report,
        once=once,
        backbone=backbone,
        other=other,
    )


@contextmanager
def _own_random_numbers(seed: int) -> Iterator[None]:
    """Seeds the block and puts the generators back: who comes later must not see whether it ran."""
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
    """Seeds every generator of random numbers that a fit may use."""
    random.seed(seed)
    np.random.seed(seed)
    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:
        # torch.manual_seed notes, with the whole stack and for good, what every kind of device it lacks should do.
        torch.default_generator.manual_seed(seed)
