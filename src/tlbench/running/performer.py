"""Performs the fits of one cell, in the process that owns the cell or in one that helps it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

import msgspec

from tlbench.contracts.metric import METRICS
from tlbench.contracts.record import FitOrder, FitResult
from tlbench.contracts.strategy import Predictor
from tlbench.modeling.scored import scored_of
from tlbench.running import scoring
from tlbench.running.fit import Fitted, Report, predict_timed, run_fits, status_of
from tlbench.running.measure import is_lost
from tlbench.running.posts import Posts
from tlbench.running.work import now
from tlbench.running.workbench import Materials

PAUSE_SECONDS = 0.02
"""Between two looks at what others do."""
LOST = 70
"""The exit status of a worker whose device is lost (EX_SOFTWARE)."""


class Performer:
    """Turns fit orders of one cell into results on disk, and keeps the best predictor of the search alive."""

    def __init__(self, materials: Materials) -> None:
        self.cell, self.materials, self.work = materials.cell, materials, materials.work
        self.posts = Posts(self.work.root)
        self.sign = 1.0 if METRICS[materials.info.metric].greater_is_better else -1.0
        self._began = now()
        self._kept: tuple[int, Predictor, Callable[[], bool]] | None = None

    def is_done(self, order: FitOrder) -> bool:
        """Says whether the order's result is on disk, whoever made it."""
        if order.purpose == "final":
            return self.work.final(order.seed) is not None
        return self.work.has_trial(order.trial)

    def all_done(self, orders: Sequence[FitOrder]) -> None:
        """Returns when every order has its result: performed here, or by whoever is idle and takes it first."""
        for order in orders:
            self.posts.put(order)
        while left := [order for order in orders if not self.is_done(order)]:
            if not self.take_one(left):
                time.sleep(PAUSE_SECONDS)

    def take_one(self, orders: Sequence[FitOrder]) -> bool:
        """Performs one order that nobody else works on; returns whether there was one."""
        for order in orders:
            if self._is_anothers(order):
                continue
            with self.posts.claim(order) as mine:
                if mine and not self.is_done(order):
                    self.perform([order])
                    return True
        return False

    def perform(self, orders: Sequence[FitOrder], reports: Sequence[Report] = ()) -> list[FitResult]:
        """Returns the results of orders of one purpose, fitted in one pass, once they are on disk."""
        self.say(self._phase(orders))
        if orders[0].purpose == "final":
            return self._finals(orders)
        fitted = run_fits(orders, self.materials, reports or [_unreported] * len(orders))
        results = [one.result for one in fitted]
        self.work.save_trials(results)
        self._leave_a_lost_device(results)
        # What was fitted in one pass with others may differ in the last bit from a fit on its own, which is what a
        # resumed cell would make of the winner: so only single fits are kept.
        if len(fitted) == 1 and not self.cell.protocol.refit:
            self._keep_if_best(fitted[0])
        return results

    def best(self) -> FitResult | None:
        """Returns the trial with the best validation score so far; of equals the first."""
        scored = [t for t in self.work.trials().values() if t.status == "ok" and t.validation is not None]
        return max(scored, key=lambda t: (self.sign * (t.validation or 0.0), -t.trial), default=None)

    def say(self, phase: str) -> None:
        """Tells the live view what this process does."""
        self.work.say(self.cell.title, phase, self._began)

    def close(self) -> None:
        """Lets go of the predictor that was kept."""
        self._kept = None
        self.posts.let_go()
        self.work.hush()

    def _phase(self, orders: Sequence[FitOrder]) -> str:
        first, count, protocol = orders[0], len(orders), self.cell.protocol
        if first.purpose == "final":
            index = protocol.seeds.index(first.seed) + 1
            return f"seed {index}/{len(protocol.seeds)}" if count == 1 else f"{count} seeds"
        # A grid may have fewer settings than trials were granted.
        total = "" if protocol.sampler == "grid" else f"/{protocol.trials}"
        number = first.trial + 1
        return f"trial {number}{total}" if count == 1 else f"trials {number}-{number + count - 1}{total}"

    def _is_anothers(self, order: FitOrder) -> bool:
        """Says whether another process still has the predictor that an order would fit once more."""
        if order.purpose == "search" or order.seed != self.cell.protocol.seeds[0] or self._has(order):
            return False
        return self.posts.is_held_elsewhere(order.trial)

    def _has(self, order: FitOrder) -> bool:
        return self._kept is not None and self._kept[0] == order.trial and order.seed == self.cell.protocol.seeds[0]

    def _keep_if_best(self, fitted: Fitted) -> None:
        best = self.best()
        if fitted.predictor is None or best is None or best.trial != fitted.result.trial:
            return
        warm = self.materials.warm
        self._kept = (best.trial, fitted.predictor, warm.keep() if warm else _nothing)
        self.posts.hold(best.trial)

    def _finals(self, orders: Sequence[FitOrder]) -> list[FitResult]:
        reused = self._reused(orders[0]) if len(orders) == 1 and self._has(orders[0]) else None
        fitted = [reused] if reused else run_fits(orders, self.materials, [_unreported] * len(orders))
        results = []
        for one in fitted:
            # A part of the fits may have been finished before a kill.
            result = self.work.final(one.result.seed)
            if result is None:
                result = one.result if one.predictor is None else self._tested(one.predictor, one.result)
                self.work.save_final(result)
            results.append(result)
        self._leave_a_lost_device(results)
        return results

    def _leave_a_lost_device(self, results: Sequence[FitResult]) -> None:
        """Ends a worker whose GPU answers nothing any more: what is finished is on disk, and another goes on."""
        bench = self.materials.bench
        if bench.disposable and any(result.status == "failed" for result in results) and is_lost(bench.device):
            os._exit(LOST)

    def _reused(self, order: FitOrder) -> Fitted | None:
        """Returns the winner's own fit of the search, which is still alive here; None if it lost its encoder."""
        assert self._kept is not None
        _, predictor, put_back = self._kept
        if not put_back():
            return None
        # What the fit paid for encoding and set-up stands with the trial; it was not paid again.
        result = self.work.trials()[order.trial]
        unpaid = msgspec.structs.replace(result, purpose="final", encode_paid_seconds=0.0, setup_paid_seconds=0.0)
        return Fitted(unpaid, predictor)

    def _tested(self, predictor: Predictor, result: FitResult) -> FitResult:
        examples, info = self.materials.test(), self.materials.info
        try:
            # The labels stay behind: a predictor is asked, not told.
            data = self.materials.data(examples.without_targets())
            predictions, seconds, paid = predict_timed(predictor, data, self.materials.bench.activations)
            scored = scored_of(info.output, [example.target for example in examples], predictions, info.positive)
        except (Exception, SystemExit) as error:
            status, reason, trace = status_of(error)
            return msgspec.structs.replace(result, status=status, reason=reason, traceback=trace)
        path = self.work.predictions(result.seed)
        scoring.write_predictions(path, result.seed, examples, scored)
        paid += result.encode_paid_seconds
        return msgspec.structs.replace(result, predict_seconds=seconds, encode_paid_seconds=paid, predictions=path.name)


def _nothing() -> bool:
    """Puts nothing back where there is no encoder."""
    return True


def _unreported(step: int, value: float) -> None:
    """Takes reports where no study listens."""
