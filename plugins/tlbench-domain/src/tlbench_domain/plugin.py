"""The plugin's hooks: strategies of domain adaptation, and digits whose target domain looks otherwise."""

from __future__ import annotations

from collections.abc import Iterable

from tlbench import Strategy, Task, hookimpl
from tlbench_domain.adaptation import SourceOnly
from tlbench_domain.coral import Coral
from tlbench_domain.dann import Dann
from tlbench_domain.self_training import SelfTraining
from tlbench_domain.target_normalization import TargetNormalization

tlbench_api = (1, 0)


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns one instance of each strategy, with default parameters."""
    return [SourceOnly(), Coral(), Dann(), SelfTraining(), TargetNormalization()]


@hookimpl
def tlbench_tasks() -> Iterable[Task]:
    """Returns the tasks of digits in two domains."""
    from tlbench_domain.digit_domains import InvertedDigits, NoisyDigits

    return [InvertedDigits(), NoisyDigits()]
