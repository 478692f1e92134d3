"""An order in, a result out: one fit, or several settings fitted in one pass."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from tlbench.contracts.errors import Diverged, PluginError, Pruned
from tlbench.contracts.outputs import Predictions
from tlbench.contracts.record import FitOrder, FitResult
from tlbench.contracts.strategy import Job, Predictor
from tlbench.contracts.task import Examples
from tlbench.modeling.activations import Activations, Usage
from tlbench.modeling.data import Data
from tlbench.modeling.encoder import count_parameters
from tlbench.modeling.scored import scored_of
from tlbench.modeling.statistics import score
from tlbench.running.measure import Stopwatch
from tlbench.running.workbench import Materials

Report = Callable[[int, float], None]
FitStatus = Literal["ok", "pruned", "diverged", "oom", "failed"]


@dataclass(frozen=True)
class Fitted:
    """What a fit gave: its result, and the predictor while it is alive."""

    result: FitResult
    predictor: Predictor | None = None


def run_fits(orders: Sequence[FitOrder], materials: Materials, reports: Sequence[Report]) -> list[Fitted]:
    """Returns what each order gave; orders beyond the first go through the strategy's `fit_batch` together.

    All orders have the same cell and purpose. Nothing that a strategy raises leaves this function.
    """
    activations = materials.bench.activations
    watches = _Watches(activations)
    jobs: list[Job] = []
    train: dict[int, Data] = {}
    outcomes: Sequence[Predictor | BaseException]
    with activations.metering() as usage:
        try:
            encoder = materials.warm.fresh() if materials.warm else None
            if encoder is not None:
                activations.trust(encoder)
            train = {seed: materials.train(seed) for seed in {order.seed for order in orders}}
            validation = materials.data(materials.splits.validation)
            for order, report in zip(orders, reports, strict=True):
                jobs.append(_job(order, materials, encoder, train[order.seed].metered(), validation, report, watches))
            _seed_everything(orders[0].seed)
            with watches.charging(watches.fit):
                strategy = materials.strategy.item
                outcomes = [strategy.fit(jobs[0])] if len(jobs) == 1 else strategy.fit_batch(jobs)
                _wait(materials.bench.device)
            if len(outcomes) != len(orders):
                raise PluginError(f"fit_batch gave {len(outcomes)} results for {len(orders)} jobs")
        except (Exception, SystemExit) as error:
            outcomes = [error] * len(orders)
        # A fault before the first fit leaves some orders without a job.
        made = [*jobs, *[None] * (len(orders) - len(jobs))]
        scored = [_scored(job, outcome) for job, outcome in zip(made, outcomes, strict=True)]
    share = 1 / len(orders)
    common: dict[str, Any] = {
        "fit_seconds": watches.fit.seconds * share,
        "setup_paid_seconds": watches.setup.seconds * share,
        "validate_seconds": watches.validate.seconds * share,
        "encode_paid_seconds": usage.encode_paid_seconds * share,
    }
    return [
        _finished(order, job, outcome, {**common, **_standalone(order.seed, usage, train, watches.once)})
        for order, job, outcome in zip(orders, made, scored, strict=True)
    ]


def _standalone(
    seed: int, usage: Usage, train: Mapping[int, Data], once: Mapping[tuple[int, str], float]
) -> dict[str, float]:
    """Returns the seconds of encoding and set-up that a fit of this seed would have taken, had it been alone.

    What only the other seeds' subsets and keys took is not among them.
    """
    subsets = {one: data.fingerprint for one, data in train.items()}
    others = {data for data in subsets.values() if data != subsets.get(seed)}
    return {
        "encode_seconds": sum(seconds for key, seconds in usage.read.items() if key.data not in others),
        "setup_seconds": sum(seconds for (owner, _), seconds in once.items() if owner == seed),
    }


def predict_timed(predictor: Predictor, data: Data, activations: Activations) -> tuple[Predictions, float, float]:
    """Returns the answers, what they cost on their own, and what was paid for encoding; raises as `predict`."""
    watch = Stopwatch()
    with activations.metering() as usage, watch.running():
        predictions = predict(predictor, data)
    alone = watch.seconds - usage.encode_paid_seconds + usage.encode_seconds
    return predictions, alone, usage.encode_paid_seconds


def predict(predictor: Predictor, data: Data) -> Predictions:
    """Returns the predictor's answers, checked.

    Raises:
        PluginError: No predictor, no `Predictions`, or not one answer for each example, in order.
        Diverged: An answer that is not finite.
    """
    if not callable(getattr(predictor, "predict", None)):
        raise PluginError(f"fit returned {type(predictor).__name__}, which has no predict")
    predictions = predictor.predict(data)
    if not isinstance(predictions, Predictions):
        raise PluginError(f"predict returned {type(predictions).__name__}, not Predictions")
    if predictions.ids != data.ids:
        raise PluginError("the predictor did not answer every example in order")
    for values in (predictions.values, predictions.scores):
        if values is not None and values.dtype.kind == "f" and not np.isfinite(values).all():
            raise Diverged("a prediction is not finite")
    return predictions


def status_of(error: BaseException) -> tuple[FitStatus, str, str]:
    """Returns status, one-line reason and traceback of what a fit raised."""
    reason = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, Pruned):
        return "pruned", " ".join(str(error).split()), ""
    if isinstance(error, Diverged):
        return "diverged", " ".join(str(error).split()), ""
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return "oom", reason, trace
    return "failed", reason, trace


_NO_MEMORY = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What torch says where it has no type for it."""


class _Watches:
    """Where the time of a fit goes; what is nested (set-up, scoring, encoding) is taken out of what encloses it."""

    def __init__(self, activations: Activations) -> None:
        self._activations = activations
        self.fit, self.setup, self.validate = Stopwatch(), Stopwatch(), Stopwatch()
        self.once: dict[tuple[int, str], float] = {}
        """What each thing that was made once, now or before, took to make."""
        self._nested = [0.0]

    @contextmanager
    def charging(self, watch: Stopwatch) -> Iterator[None]:
        """Adds the time of the block, without what it encoded and what was charged within it."""
        block = Stopwatch()
        self._nested.append(0.0)
        try:
            with self._activations.metering() as usage, block.running():
                yield
        finally:
            within = self._nested.pop()
            self._nested[-1] += block.seconds - usage.encode_paid_seconds
            watch.seconds += max(0.0, block.seconds - usage.encode_paid_seconds - within)


@contextmanager
def _own_random_numbers(seed: int) -> Iterator[None]:
    """Seeds the block and puts the generators back: who comes later must not see whether it ran."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    _seed_everything(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


def _job(
    order: FitOrder,
    materials: Materials,
    encoder: Any,
    train: Data,
    validation: Data,
    report: Report,
    watches: _Watches,
) -> Job:
    seed, limit = order.seed, materials.cell.protocol.train_limit
    targets, info = [example.target for example in validation.examples], materials.info
    # Every setting of a seed starts from the same head.
    _seed_everything(seed)
    head = materials.head(encoder) if encoder is not None else None

    def validated(predictor: Predictor) -> float:
        with watches.charging(watches.validate):
            predictions = predict(predictor, validation)
            return score(info.metric, scored_of(info.output, targets, predictions, info.positive))

    def once(key: str, make: Callable[[], Any]) -> Any:
        before = watches.setup.seconds
        with watches.charging(watches.setup), _own_random_numbers(seed):
            made, is_new = materials.once(seed, key, make)
        if is_new:
            materials.once_seconds[seed, key] = watches.setup.seconds - before
        watches.once[seed, key] = materials.once_seconds[seed, key]
        return made

    def load(pretrained: bool = True) -> Any:
        _seed_everything(seed)
        return materials.load(pretrained)

    def new_head(encoder: Any) -> Any:
        _seed_everything(seed)
        return materials.head(encoder)

    def unlabeled() -> Data | None:
        examples = materials.splits.unlabeled(seed, limit)
        return None if examples is None else materials.data(examples)

    def other(name: str) -> Any:
        raise PluginError(f"{name!r}: reading another task's data is not built yet")

    def featurize(examples: Examples) -> Data:
        return materials.data(examples)

    return Job(
        encoder=encoder,
        head=head,  # type: ignore[arg-type]  # a strategy that looks through no backbone has none
        train=train,
        validation=validation,
        unlabeled=unlabeled,
        task=info,
        params=order.params,
        protocol=materials.cell.protocol.of_fit(seed),
        seed=seed,
        device=materials.bench.device,
        precision=materials.precision,
        activations=materials.bench.activations,
        featurize=featurize,
        load=load,
        new_head=new_head,
        examples=materials.examples(seed),
        score=validated,
        report=report,
        once=once,
        other=other,
    )


@dataclass(frozen=True)
class _Scored:
    outcome: Predictor | BaseException
    validation: float | None = None


def _scored(job: Job | None, outcome: Any) -> _Scored:
    if job is None or isinstance(outcome, BaseException):
        return _Scored(outcome)
    try:
        validation = float(job.score(outcome))
        if not np.isfinite(validation):
            raise Diverged("the validation score is not finite")
    except (Exception, SystemExit) as error:
        return _Scored(error)
    return _Scored(outcome, validation)


def _finished(order: FitOrder, job: Job | None, scored: _Scored, common: dict[str, Any]) -> Fitted:
    named: dict[str, Any] = {
        "params": order.params, "seed": order.seed, "purpose": order.purpose, "trial": order.trial, **common,
    }  # fmt: skip
    if job is not None:
        named |= {"examples_seen": job.train.meter.rows, "notes": _finite(job.notes)}
    if isinstance(scored.outcome, BaseException):
        status, reason, trace = status_of(scored.outcome)
        return Fitted(FitResult(**named, status=status, reason=reason, traceback=trace))
    total, trained = _parameters(scored.outcome, job)
    result = FitResult(
        **named, status="ok", validation=scored.validation, parameters=total, trainable_parameters=trained
    )
    return Fitted(result, scored.outcome)


def _parameters(predictor: Any, job: Job | None) -> tuple[int, int]:
    """Returns all weights and the trained ones: as the predictor says, or of the job's encoder and head."""
    if job is None or job.encoder is None:
        return 0, 0
    total = count_parameters(job.encoder) + count_parameters(job.head)
    trained = getattr(predictor, "trainable_parameters", None)
    if trained is None:
        trained = count_parameters(job.encoder, trainable=True) + count_parameters(job.head, trainable=True)
    return int(getattr(predictor, "parameters_total", total)), int(trained)


def _finite(notes: dict[str, float]) -> dict[str, float]:
    # JSON has no NaN.
    return {name: float(value) for name, value in notes.items() if np.isfinite(value)}


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
