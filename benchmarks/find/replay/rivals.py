"""Everybody that is replayed: tlbench's policies, those of plugins, and the opponents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.find.opponents.fixed_orders import (
    Cell,
    FeatureOrder,
    HistoryOrder,
    ProbeOrder,
    SizeOrder,
    TwoArms,
    cell_of,
)
from benchmarks.find.opponents.short_fits import Hyperband, OneEpochEach, ThirdOfEachRung
from benchmarks.find.replay.replay_task import ReplayTask
from tlbench.catalog.catalog import Catalog
from tlbench.contracts.policies.policy import Policy, Proposal
from tlbench.finding.policies import POLICIES
from tlbench.finding.policies.race import Race

OURS = Race.name


@dataclass(frozen=True)
class Rival:
    """One policy of the comparison."""

    name: str
    make: Callable[[ReplayTask, Sequence[ReplayTask]], Policy]
    """Returns the policy for a task, given the other tasks."""
    feature: str = ""
    """The feature score that it reads, which its search is charged for."""
    needs_rungs: bool = False
    needs_probes: bool = False
    needs_sizes: bool = False

    def can_search(self, task: ReplayTask) -> bool:
        """Returns whether the task has what the policy needs."""
        return (
            (not self.feature or self.feature in task.features)
            and (task.has_rungs or not self.needs_rungs)
            and (not self.needs_probes or any(one.role == "probe" for one in task.candidates))
            and (not self.needs_sizes or any(one.parameters for one in task.candidates))
        )


def rivals(catalog: Catalog | None = None) -> list[Rival]:
    """Returns tlbench's policies, then the opponents, then the policies of other plugins."""
    own = [_alone(policy, needs_rungs=policy.name == "halving") for policy in POLICIES]
    opponents = [
        Rival(SizeOrder.name, lambda task, others: SizeOrder(), needs_sizes=True),
        Rival(HistoryOrder.name, lambda task, others: HistoryOrder(_regrets(task, others))),
        _alone(ProbeOrder(), needs_probes=True),
        *(_by_feature(*pair) for pair in (("kNN top-k", "knn"), ("H-score", "h-score"), ("LogME", "logme"))),
        _alone(OneEpochEach(), needs_rungs=True),
        _alone(ThirdOfEachRung(), needs_rungs=True),
        _alone(Hyperband(), needs_rungs=True),
        _alone(TwoArms(), needs_probes=True),
    ]
    known = {one.name for one in own}
    entries = [] if catalog is None else catalog.entries("policy")
    return [*own, *opponents, *(_alone(entry.item) for entry in entries if entry.name not in known)]


def _alone(policy: Policy, needs_rungs: bool = False, needs_probes: bool = False) -> Rival:
    return Rival(policy.name, lambda task, others: policy, needs_rungs=needs_rungs, needs_probes=needs_probes)


def _by_feature(name: str, feature: str) -> Rival:
    return Rival(name, lambda task, others: FeatureOrder(name, task.features[feature].by_backbone), feature)


def _regrets(task: ReplayTask, others: Sequence[ReplayTask]) -> dict[Cell, float]:
    """Returns the mean regret of each fit on the other tasks of the modality, by their validation scores."""
    found: dict[Cell, list[float]] = defaultdict(list)
    for other in others:
        if other.modality != task.modality or other.name == task.name:
            continue
        scores = np.where(other.answered[:, 2], other.validation(0)[:, 2], 0.0)
        for (candidate, params), row in other.rows.items():
            cell = cell_of(other.candidates, Proposal(candidate, dict(params)))
            found[cell].append(float(scores.max() - scores[row]))
    return {cell: sum(values) / len(values) for cell, values in found.items()}
