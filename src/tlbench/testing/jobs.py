"""A strategy on one backbone and task by the real runner, without a study, a store or a test split."""

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
from tlbench.contracts.space import Choice, Domain, Int, Space, Value
from tlbench.contracts.strategy import About, Job, Predictor, Strategy
from tlbench.contracts.task import Task
from tlbench.metrics import METRICS
from tlbench.planning.needs import declared_needs, need_ref, needed_by
from tlbench.testing.toy_plugin import tlbench_backbones, tlbench_tasks

if TYPE_CHECKING:
    import random

    from tlbench.modeling.data import Data
    from tlbench.running.fitting.fit import Fitted
    from tlbench.running.fitting.reusable_encoder import ReusableEncoder

Params: TypeAlias = Mapping[str, Value]
NOTHING: Mapping[int, float] = MappingProxyType({})
"""Demands nothing of a fit on its way."""


class Rehearsal:
    """One strategy on one backbone and task, on the CPU, with all that a worker keeps between fits.

    The test split is not read; asking for it raises `SealBroken`, as in a run. What the strategy's needs() name is
    found among the installed plugins and the toys.
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
            raise ValueError(f"the strategy {strategy.name} looks through a backbone")
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
        session = Session(catalog, torch.device("cpu"), torch.get_num_threads())
        self._context = CellContext(self.cell, session, resolve(self.cell.protocol.precision, session.device))
        self._settings = settings_of(catalog, self.cell)

    @property
    def space(self) -> Space:
        """What the search would choose from."""
        return self._settings.space

    @property
    def encoder(self) -> ReusableEncoder | None:
        """What keeps the encoder between fits; None for a strategy that looks through no backbone."""
        return self._context.encoder

    def data(self, split: Literal["train", "validation"] = "validation") -> Data:
        """Returns the featurised examples of a split."""
        splits = self._context.splits
        return self._context.data(splits.train if split == "train" else splits.validation)

    def fit(self, params: Params | None = None, seed: int = 0, stop_below: Mapping[int, float] = NOTHING) -> Fitted:
        """Returns what a fit gave; without `params`, in the middle of the space. What it raises is in the result."""
        return self.fit_batch([params], seed, stop_below)[0]

    def fit_batch(
        self,
        settings: Sequence[Params | None],
        seed: int | Sequence[int] = 0,
        stop_below: Mapping[int, float] = NOTHING,
    ) -> list[Fitted]:
        """Returns what several settings gave, fitted together if the strategy can; all of one seed, or each of its own.

        Args:
            settings: Without one, that in the middle of the space.
            seed: Of all, or of each.
            stop_below: Step to the least validation score, as greater is better, with which a fit goes on.

        Raises:
            ValueError: There are not as many seeds as settings.
        """
        from tlbench.running.fitting.fit import run_fits

        seeds = [seed] * len(settings) if isinstance(seed, int) else seed
        fits = [
            Fit(trial, one, dict(middle(self.space) if params is None else params))
            for trial, (params, one) in enumerate(zip(settings, seeds, strict=True))
        ]
        return run_fits(fits, self._context, "search", stop_below)


def make_job(
    strategy: Strategy,
    backbone: Backbone | None,
    task: Task,
    params: Params | None = None,
    protocol: Protocol | None = None,
    seed: int = 0,
) -> Job:
    """Returns everything that one fit may see, as the runner makes it; without `params`, the middle of the space.

    torch's global generator stands as at the start of a fit.

    Raises:
        RuntimeError: The runner could not make it; the cause is in the message.
    """
    import torch

    holder = (_Holder if strategy.uses_backbone else _BlindHolder)(strategy)
    result = Rehearsal(holder, backbone, task, protocol).fit(params, seed).result
    if holder.job is None:
        raise RuntimeError(f"no job could be made: {result.reason}\n{result.traceback}")
    torch.manual_seed(seed)
    return holder.job


def why_not(strategy: Strategy, backbone: Backbone | None, tasks: Sequence[Task]) -> list[str | None]:
    """Returns for each task why the strategy is not tried on it, or None: as it says itself, or for what it needs.

    Raises:
        PluginError: Its needs() are none.
    """
    reasons = [strategy.supports(backbone, task) for task in tasks]
    if needs := declared_needs(strategy):
        catalog = _catalog_of({}, with_installed=True)
        for number, task in enumerate(tasks):
            # by the bare name: which parameters a task was made with, its object does not say
            own = any(need.startswith("task:") and parse(need.removeprefix("task:"))[0] == task.name for need in needs)
            unmet = f"it needs the task {task.name} itself" if own else needed_by(strategy, task, catalog, here=True)[0]
            reasons[number] = reasons[number] or unmet
    return reasons


def middle(space: Space) -> dict[str, Value]:
    """Returns the middle of each domain, on its own scale."""
    return {name: _between(domain, 0.5) for name, domain in space.items()}


def draw(space: Space, generator: random.Random) -> dict[str, Value]:
    """Returns params drawn from the space."""
    return {name: _between(domain, generator.random()) for name, domain in space.items()}


class _Holder(Strategy):
    """Keeps the job that it is given in place of fitting it."""

    name = "holder"

    def __init__(self, inner: Strategy) -> None:
        self.inner = inner
        self.job: Job | None = None

    def space(self, about: About) -> Space:
        return self.inner.space(about)

    def needs(self) -> tuple[str, ...]:
        return self.inner.needs()

    def fit(self, job: Job) -> Predictor:
        self.job = job
        raise Pruned("the job is all that was wanted")


class _BlindHolder(_Holder):
    uses_backbone = False


def _catalog_of(items: Mapping[str, Backbone | Task | Strategy | None], with_installed: bool) -> Catalog:
    """Returns a catalog of these objects, each under the name of its kind: their own may have a scheme.

    What is installed and the toys stand beside them where they are needed: looking for it takes a tenth of a second.
    """
    entries = tuple(PluginEntry(kind, kind, item, "rehearsal", "0") for kind, item in items.items() if item is not None)
    if with_installed:
        found = discover()
        entries += tuple(entry for entry in found.entries if entry.name not in items)
        toys = [PluginEntry("backbone", toy.name, toy, "tlbench", "0") for toy in tlbench_backbones()]
        toys += [PluginEntry("task", toy.name, toy, "tlbench", "0") for toy in tlbench_tasks()]
        there = {(entry.kind, entry.name) for entry in entries}
        entries += tuple(toy for toy in toys if (toy.kind, toy.name) not in there)
        return Catalog(dataclasses.replace(found, entries=entries))
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return Catalog(Discovery(entries, (), (), manager))


def _between(domain: Domain, share: float) -> Value:
    if isinstance(domain, Choice):
        return domain.values[min(int(share * len(domain.values)), len(domain.values) - 1)]
    if domain.log:
        value = math.exp(math.log(domain.low) + share * (math.log(domain.high) - math.log(domain.low)))
    else:
        value = domain.low + share * (domain.high - domain.low)
    return round(value) if isinstance(domain, Int) else value
