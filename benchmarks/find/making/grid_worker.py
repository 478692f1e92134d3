"""Fits one setting of a candidate in this process, as a worker of a run does, and measures a backbone's features."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.find.grid_files import PARTS, RUNGS, Status, Three
from benchmarks.find.making.feature_scores import FEATURE_SCORES
from benchmarks.find.making.fit_pieces import BackbonePiece, FitPiece, RowCounts
from benchmarks.find.making.rung_capture import Rung, RungCapture, processor_clock
from tlbench import Cell, Predictor
from tlbench.catalog.catalog import Catalog
from tlbench.contracts.executor import Fit
from tlbench.contracts.space import Value
from tlbench.modeling.activations.activation_cache import EncodeUsage
from tlbench.modeling.activations.encoding import encode_features
from tlbench.modeling.data import to_device
from tlbench.modeling.encoder import count_parameters
from tlbench.modeling.stages.every_stage import EveryStage
from tlbench.running.fitting.context import CellContext
from tlbench.running.fitting.fit import run_fits
from tlbench.running.fitting.fit_status import status_of
from tlbench.running.fitting.measuring.timing import predict
from tlbench.running.fitting.session import Session, restored_globals

SAMPLE = 48
"""Rows that are encoded to estimate what fits will cost."""
Answers = NDArray[np.integer[Any]]


class GridWorker:
    """Makes pieces on one thread; models, tokens and activations stay in memory between fits."""

    def __init__(self, catalog: Catalog) -> None:
        torch.set_num_threads(1)
        self.device = torch.device("cpu")
        self._session = Session(catalog, self.device, 1)

    def rows(self, cell: Cell) -> RowCounts:
        """Returns the sizes of the task's splits."""
        context = self._context(cell)
        return RowCounts(len(context.splits.train), len(context.validation), len(context.test()))

    def fit(self, cell: Cell, params: Mapping[str, Value], seed: int) -> FitPiece:
        """Returns one fit with its answers at each rung and on the test split; a fit that fails is a piece too."""
        began = time.process_time()
        context = self._context(cell)
        capture = RungCapture(context.strategy.item)
        context.strategy = replace(context.strategy, item=capture)
        with processor_clock(), restored_globals(), self._session.activations.metering() as usage:
            (fitted,) = run_fits([Fit(0, seed, dict(params))], context)
        result = fitted.result
        at_rungs: list[Rung | None] = [capture.rungs.get(part) if part is not None else None for part in PARTS]
        status, reason, trace = result.status, result.reason, result.traceback
        test: Answers | None = None
        if fitted.predictor is not None and fitted.answers is not None:
            try:
                test = self._test_answers(context, fitted.predictor)
            except self._session.caught as error:
                status, reason, trace = status_of(error)
            else:
                last = max(0.0, result.validate_seconds - capture.validate_seconds)
                at_rungs[-1] = Rung(fitted.answers.values, result.fit_seconds, last)
        spent = Rung(np.empty(0, int), result.fit_seconds, 0.0)
        rungs = _filled(at_rungs)
        wanted, test_targets = _targets(context.validation), _targets(context.test())
        right = [_right(rung.answers if rung else None, wanted) for rung in rungs]
        test_right = _right(test, test_targets)
        return FitPiece(
            title=f"{cell.title} {' '.join(f'{name}={value}' for name, value in params.items())} seed {seed}",
            status=_status(status),
            seconds=_rising([(rung or spent).seconds for rung in rungs]),
            validate_seconds=_three([(rung or spent).validate_seconds for rung in rungs]),
            setup_seconds=result.setup_seconds,
            encodings=_encodings(cell, context, usage),
            answered=_three([rung is not None for rung in rungs]),
            constant=_three([rung is not None and len(np.unique(rung.answers)) == 1 for rung in rungs]),
            correct=_three([float(one.mean()) for one in right]),
            test_correct=float(test_right.mean()),
            validation=_three([np.packbits(one).tobytes() for one in right]),
            test=np.packbits(test_right).tobytes(),
            worked_seconds=time.process_time() - began,
            steps=int(result.notes.get("steps", 0)),
            reason=reason,
            traceback=trace,
        )

    def backbone(self, cell: Cell) -> BackbonePiece:
        """Returns the seconds to load the cell's backbone, and the transferability scores of its features on train.

        The features are the mean over the layers above the embeddings, as far as they are as wide as the last one.
        """
        began = time.process_time()
        context = self._context(cell)
        assert context.backbone is not None
        assert context.encoder is not None
        encoder = context.encoder.fresh()  # the first load imports the library, which a search pays once for all
        at = time.process_time()
        context.load()
        load_seconds = time.process_time() - at
        data, targets = context.train(0), _targets(context.splits.train)
        activations = self._session.activations
        activations.trust(encoder)
        with processor_clock(), torch.no_grad(), activations.metering() as usage:
            widths = [encoder.width]
            view = encoder
            if len(encoder.stages) > 1:
                view = EveryStage(encoder, to_device(data.batch([0]), self.device))
                widths = list(view.widths)
            features = activations.features(view, data).double().numpy()
        scores, seconds = {}, {}
        for name, score in FEATURE_SCORES.items():
            at = time.process_time()
            scores[name] = score(layer_mean(features, widths), targets)
            seconds[name] = time.process_time() - at
        return BackbonePiece(
            family=context.card.family,
            parameters=count_parameters(encoder),
            load_seconds=load_seconds,
            feature_scores=scores,
            feature_seconds=seconds,
            encodings=_encodings(cell, context, usage),
            worked_seconds=time.process_time() - began,
        )

    def forward_seconds(self, cell: Cell) -> tuple[float, int]:
        """Returns the processor seconds to encode one row of a sample, and the number of the encoder's stages."""
        context = self._context(cell)
        assert context.encoder is not None
        encoder = context.encoder.fresh()
        sample = context.data(context.validation[:SAMPLE])
        began = time.process_time()
        with torch.no_grad():
            encode_features(encoder, sample, "fp32")
        return (time.process_time() - began) / len(sample), len(encoder.stages)

    def _context(self, cell: Cell) -> CellContext:
        return CellContext(cell, self._session, "fp32")

    def _test_answers(self, context: CellContext, predictor: Predictor) -> Answers:
        with restored_globals():
            return predict(predictor, context.data(context.test().without_targets())).values


def layer_mean(features: NDArray[np.floating[Any]], widths: list[int]) -> NDArray[np.floating[Any]]:
    """Returns the mean of the parts of the last part's width, (N, widths[-1]), without the first part of several.

    Args:
        features: The readouts of all stages side by side, (N, sum of widths).
        widths: The width of each stage's part, from the embeddings up.
    """
    parts = np.split(features, np.cumsum(widths)[:-1], axis=1)
    above = parts[1:] or parts
    return np.mean([part for part in above if part.shape[1] == widths[-1]], axis=0)


def _targets(examples: Any) -> Answers:
    return np.array([example.target for example in examples])


def _right(answers: Answers | None, targets: Answers) -> NDArray[np.bool_]:
    """Returns which answers are right; none is where there are no answers."""
    return np.zeros(len(targets), bool) if answers is None else np.asarray(answers == targets)


def _filled(rungs: list[Rung | None]) -> list[Rung | None]:
    """Returns the rungs, those that a whole fit did not report at replaced by the next one that it did report at.

    A fit that is ordered to stop at such a rung goes on to its next report, as one does that trains in no steps.
    """
    filled = list(rungs)
    for number in reversed(range(RUNGS - 1)):
        if filled[number] is None:
            filled[number] = filled[number + 1]
    return filled


def _three(values: list[Any]) -> Any:
    assert len(values) == RUNGS
    return tuple(values)


def _rising(values: list[float]) -> Three:
    """Returns the values, none below the one before it: two timers may differ in the last digit."""
    return _three([max(values[: number + 1]) for number in range(len(values))])


def _status(status: Literal["ok", "pruned", "diverged", "oom", "failed"]) -> Status:
    assert status != "pruned"
    return status


def _encodings(cell: Cell, context: CellContext, usage: EncodeUsage) -> dict[str, float]:
    """Returns the seconds of each encoding that was read, by a name that is equal for equal encodings."""
    backbone = cell.backbone.name if cell.backbone else ""
    validation = context.data(context.validation).fingerprint if usage.read else ""
    found = {}
    for key, seconds in usage.read.items():
        split = "validation" if key.data == validation else "train"
        what = "features" if key.readout else "hidden states"
        every = " (every stage)" if "every-stage" in key.weights else ""
        trained = f" trained {key.weights.rpartition('+')[2]}" if "+" in key.weights else ""
        found[f"{backbone}: {split}, {what} of {key.stop} stages{every}{trained}"] = seconds
    return found
