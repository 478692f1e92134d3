"""The toys as a plugin: set `TLBENCH_PLUGINS` to this module, or name it in an entry point of the group `tlbench`."""

from __future__ import annotations

from collections.abc import Iterable

from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task
from tlbench.testing.toy_kinds import ToyLabelsTask, ToySpanTask, ToyWordsTask
from tlbench.testing.toy_spaces import ToyRule
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyGuess, ToyMajority, ToyScalarTask, ToyTask, ToyTune

tlbench_api = (1, 0)


@hookimpl
def tlbench_backbones() -> Iterable[Backbone]:
    """Returns the toy backbone."""
    return [ToyBackbone()]


@hookimpl
def tlbench_tasks() -> Iterable[Task]:
    """Returns a task for each kind of output except texts."""
    return [ToyTask(), ToyScalarTask(), ToyLabelsTask(), ToyWordsTask(), ToySpanTask()]


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns a strategy on a frozen encoder, full fine-tuning, and three without training."""
    return [ToyFit(), ToyTune(), ToyGuess(), ToyRule(), ToyMajority()]
