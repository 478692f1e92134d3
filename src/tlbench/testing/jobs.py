"""Single fits of a strategy with the runner's own code, without a search, records or the test split."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

import pluggy

from tlbench.catalog import hookspecs
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Discovery, PluginEntry, discover
from tlbench.catalog.names import parse
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.errors import Pruned
from tlbench.contracts.executor import Fit
from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.fits.task_info import SpaceContext
from tlbench.contracts.space import Choice, Domain, Int, Space, Value, existing
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task
from tlbench.metrics import METRICS
from tlbench.planning.needs import declared_needs, need_ref, needed_by
from tlbench.testing.toy_plugin import tlbench_backbones, tlbench_tasks

if TYPE_CHECKING:
    import random

    import torch

    from tlbench.modeling.data import Data
    from tlbench.running.fitting.fit import Fitted
    from tlbench.running.fitting.reusable_encoder import ReusableEncoder

Params: TypeAlias = Mapping[str, Value]
NOTHING: Mapping[int, float] = MappingProxyType({})
"""No pruning: a fit may have any validation score at any step."""


class Rehearsal:
    """Fits a strategy on one backbone and task, on the CPU, in the way a worker does.

    The encoder and cached data are kept between fits, as in a worker. Reading the test split raises `SealBroken`, as in
    a run. The strategy's needs() are looked up among the installed plugins and the toys.

    Args:
        strategy: The strategy.
        backbone: The backbone, or None for a strategy that uses none.
        task: The task.
        protocol: Seeds, limits and precision; the default is fp32 without limits.

    Raises:
        ValueError: The strategy needs a backbone, and none is given.
        PluginError: The strategy's needs() are invalid.
    """

    def __init__(
        self, strategy: Strategy, backbone: Backbone | None, task: Task, protocol: Protocol | None = None
    ) -> None:
        import torch

        from tlbench.modeling.precision import resolve
        from tlbench.running.cells.hyperparameters import settings_of
        from tlbench.running.fitting.context import CellContext
        from tlbench.running.fitting.session import Session

        if strategy.uses_backbone and backbone is None:
            raise ValueError(f"the strategy {strategy.name} needs a backbone: pass one, such as ToyBackbone()")
        used = backbone if strategy.uses_backbone else None
        needs = declared_needs(strategy)
        catalog = _catalog_of(
            {"backbone": used, "task": task, "strategy": strategy},
            with_installed=bool(needs) or not {*task.metrics} <= METRICS.keys(),
        )
        self.cell = Cell(
            task=Ref("task", task.version),
            strategy=Ref("strategy", strategy.version),
            protocol=protocol or Protocol(precision="fp32"),
            backbone=Ref("backbone", used.version) if used else None,
            needs=tuple(need_ref(catalog, need) for need in needs),
        )
        # No GPU, so that results do not depend on the machine's device.
        session = Session(catalog, torch.device("cpu"), torch.get_num_threads())
        self._context = CellContext(self.cell, session, resolve(self.cell.protocol.precision, session.device))
        self._settings = settings_of(catalog, self.cell)

    @property
    def space(self) -> Space:
        """The search space."""
        return self._settings.space

    @property
    def encoder(self) -> ReusableEncoder | None:
        """The encoder that fits share, or None for a strategy without a backbone."""
        return self._context.encoder

    def data(self, split: Literal["train", "validation"] = "validation") -> Data:
        """Returns the featurized examples of a split."""
        context = self._context
        return context.data(context.splits.train if split == "train" else context.validation)

    def fit(self, params: Params | None = None, seed: int = 0, stop_below: Mapping[int, float] = NOTHING) -> Fitted:
        """Returns the outcome of one fit, including any exception that was raised; arguments as in `fit_batch`."""
        return self.fit_batch([params], seed, stop_below)[0]

    def fit_ok(self, params: Params | None = None, seed: int = 0) -> Fitted:
        """Returns the outcome of one fit, which must succeed; arguments as in `fit`.

        Raises:
            AssertionError: The fit failed; the message has its traceback.
        """
        fitted = self.fit(params, seed)
        if fitted.result.status != "ok":
            raise AssertionError(f"{fitted.result.reason}\n{fitted.result.traceback}")
        return fitted

    def fit_final(self, params: Params | None = None, seed: int = 0) -> Fitted:
        """Returns the outcome of a final fit, which has no validation split if the protocol's `final` adds it to train.

        Like a winner's fit in a run, it is given the notes of a fit of the search as `Job.searched`.
        """
        from tlbench.running.fitting.cross_validation import run_fits_or_folds

        searched = self.fit(params, seed).result
        notes = searched.notes if self.cell.protocol.trains_on_validation else {}
        (fitted,) = run_fits_or_folds([Fit(0, seed, searched.params, notes)], self._context, "final")
        return fitted

    def fit_batch(
        self,
        settings: Sequence[Params | None],
        seed: int | Sequence[int] = 0,
        stop_below: Mapping[int, float] = NOTHING,
    ) -> list[Fitted]:
        """Returns the outcomes of several settings, fitted in one batch if the strategy supports it.

        Args:
            settings: Hyperparameters of each fit; None for the middle of the space.
            seed: One seed for all fits, or one for each.
            stop_below: Pruning thresholds by step: a fit ends at a step if its validation score (greater is better) is
                below the threshold.

        Raises:
            ValueError: The numbers of seeds and settings differ.
        """
        from tlbench.running.fitting.cross_validation import run_fits_or_folds

        seeds = [seed] * len(settings) if isinstance(seed, int) else seed
        fits = [
            Fit(trial, one, dict(middle(self.space) if params is None else params))
            for trial, (params, one) in enumerate(zip(settings, seeds, strict=True))
        ]
        return run_fits_or_folds(fits, self._context, "search", stop_below)


def make_job(
    strategy: Strategy,
    backbone: Backbone | None,
    task: Task,
    params: Params | None = None,
    protocol: Protocol | None = None,
    seed: int = 0,
) -> Job:
    """Returns the job that the runner passes to a strategy's `fit`, and seeds torch's global generator as it does.

    Args:
        strategy: The strategy.
        backbone: The backbone, or None for a strategy that uses none.
        task: The task.
        params: Hyperparameters; None for the middle of the space.
        protocol: Seeds, limits and precision; the default is fp32 without limits.
        seed: Seed of the fit.

    Raises:
        RuntimeError: The runner could not create the job; the message has the cause.
    """
    import torch

    # A stand-in for the strategy receives the job from the runner, so that it is exactly the job of a run.
    capture = (_JobCapture if strategy.uses_backbone else _JobCaptureWithoutBackbone)(strategy)
    result = Rehearsal(capture, backbone, task, protocol).fit(params, seed).result
    if capture.job is None:
        raise RuntimeError(f"the runner could not create a job: {result.reason}\n{result.traceback}")
    torch.manual_seed(seed)
    return capture.job


def toy_rehearsal(strategy: Strategy, task: Task | None = None, protocol: Protocol | None = None) -> Rehearsal:
    """Returns a rehearsal on the toy backbone; by default six steps in fp32 on a toy task of two classes."""
    from tlbench.testing.toys import ToyBackbone, ToyTask

    six_steps = Protocol(max_steps=6, precision="fp32")
    return Rehearsal(strategy, ToyBackbone(), task or ToyTask(), protocol or six_steps)


def toy_job(strategy: Strategy, task: Task | None = None, **params: Value) -> Job:
    """Returns a job of twelve steps on the toy backbone, with a learning rate of 5e-3 unless `params` have another.

    No other job has its encoder. The task is a toy task of two classes if none is given.
    """
    from tlbench.testing.toys import ToyBackbone, ToyTask

    protocol = Protocol(max_steps=12, precision="fp32")
    return make_job(strategy, ToyBackbone(), task or ToyTask(), {"lr": 5e-3, **params}, protocol)


def weights_of(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Returns copies of a module's parameters, by name."""
    return {name: weight.detach().clone() for name, weight in module.named_parameters()}


def why_not(strategy: Strategy, backbone: Backbone | None, tasks: Sequence[Task]) -> list[str | None]:
    """Returns, for each task, why the strategy cannot be fitted on it (`supports` or unmet needs), or None.

    Raises:
        PluginError: The strategy's needs() are invalid.
    """
    reasons = [strategy.supports(backbone, task) for task in tasks]
    if needs := declared_needs(strategy):
        catalog = _catalog_of({}, with_installed=True)
        for number, task in enumerate(tasks):
            # By the name without parameters, since a task object does not know its parameters.
            own = any(need.startswith("task:") and parse(need.removeprefix("task:"))[0] == task.name for need in needs)
            unmet = f"it needs the task {task.name} itself" if own else needed_by(strategy, task, catalog, here=True)[0]
            reasons[number] = reasons[number] or unmet
    return reasons


def middle(space: Space) -> dict[str, Value]:
    """Returns the middle of each domain, on its own scale (linear or logarithmic); of a choice, the middle value.

    As in a trial, hyperparameters whose conditions do not hold are left out.
    """
    return existing(space, {name: _at_quantile(domain, 0.5) for name, domain in space.items()})


def draw(space: Space, generator: random.Random, having: str = "") -> dict[str, Value]:
    """Returns hyperparameters drawn uniformly from the space, each domain on its own scale.

    If a name is given as `having`, its parents have values with which this hyperparameter exists.
    """
    values = {name: _at_quantile(domain, generator.random()) for name, domain in space.items()}
    needed = {one.parent: one.values[0] for one in space[having].when} if having else {}
    return existing(space, {**values, **needed})


class _JobCapture(Strategy):
    """Has the space and needs of another strategy; its `fit` stores the job and trains nothing."""

    name = "job-capture"

    def __init__(self, inner: Strategy) -> None:
        self.inner = inner
        self.job: Job | None = None

    def space(self, about: SpaceContext) -> Space:
        return self.inner.space(about)

    def needs(self) -> tuple[str, ...]:
        return self.inner.needs()

    def fit(self, job: Job) -> Predictor:
        self.job = job
        # The usual way to end a fit early without a failure.
        raise Pruned("the job was captured")


class _JobCaptureWithoutBackbone(_JobCapture):
    uses_backbone = False


def _catalog_of(items: Mapping[str, Backbone | Task | Strategy | None], with_installed: bool) -> Catalog:
    """Returns a catalog of the objects, each named by its kind, since their own names may have a scheme ("hf:bert").

    Args:
        items: Objects by kind.
        with_installed: Whether to add the installed plugins and the toys; discovery takes about 0.1 s.
    """
    entries = tuple(PluginEntry(kind, kind, item, "rehearsal", "0") for kind, item in items.items() if item is not None)
    if with_installed:
        discovery = discover()
        entries += tuple(entry for entry in discovery.entries if entry.name not in items)
        toys = [PluginEntry("backbone", toy.name, toy, "tlbench", "0") for toy in tlbench_backbones()]
        toys += [PluginEntry("task", toy.name, toy, "tlbench", "0") for toy in tlbench_tasks()]
        known = {(entry.kind, entry.name) for entry in entries}
        entries += tuple(toy for toy in toys if (toy.kind, toy.name) not in known)
        return Catalog(dataclasses.replace(discovery, entries=entries))
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return Catalog(Discovery(entries, (), (), manager))


def _at_quantile(domain: Domain, share: float) -> Value:
    if isinstance(domain, Choice):
        return domain.values[min(int(share * len(domain.values)), len(domain.values) - 1)]
    if domain.log:
        value = math.exp(math.log(domain.low) + share * (math.log(domain.high) - math.log(domain.low)))
    else:
        value = domain.low + share * (domain.high - domain.low)
    return round(value) if isinstance(domain, Int) else value
