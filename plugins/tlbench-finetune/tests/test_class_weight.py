"""The option `class_weight` of every strategy that trains on classes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from tlbench_finetune.plugin import tlbench_strategies
from tlbench_finetune.probes.samples import sample_of, samples

from tlbench import Examples, MultiLabel, Protocol, Scalar, Span, SplitName, Strategy, Text
from tlbench.catalog.catalog import Catalog
from tlbench.testing.jobs import Rehearsal, make_job
from tlbench.testing.toy_kinds import ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask

PROTOCOL = Protocol(max_steps=4, precision="fp32")
WITHOUT_LOSS = {"knn", "prototypes", "recipe"}
"""They refuse the option, since they have no loss, or none of their own: a recipe has that of a part."""
TRAINED = [
    strategy
    for strategy in tlbench_strategies()
    if hasattr(strategy, "class_weight") and strategy.name not in WITHOUT_LOSS
]


@dataclasses.dataclass(frozen=True)
class Rare(ToyTask):
    """The toy task with one positive example in eight."""

    name = "rare"

    def split(self, name: SplitName) -> Examples | None:
        rows = super().split(name)
        if rows is None or name != "train":
            return rows
        return Examples(row for number, row in enumerate(rows) if row.target == 0 or number % 4 == 1)


def _balanced(strategy: Strategy) -> Strategy:
    return dataclasses.replace(strategy, class_weight="balanced")  # type: ignore[call-arg]


@pytest.mark.parametrize("strategy", TRAINED, ids=lambda strategy: strategy.name)
def test_every_trained_strategy_can_balance_classes(strategy: Strategy) -> None:
    assert _balanced(strategy).supports(ToyBackbone(), Rare()) is None
    plain, balanced, again = (
        Rehearsal(one, ToyBackbone(), Rare(), PROTOCOL).fit() for one in (strategy, _balanced(strategy), strategy)
    )
    scores = [one.predictor.predict(make_job(strategy, ToyBackbone(), Rare()).validation).scores  # type: ignore[union-attr]
              for one in (plain, balanced, again)]  # fmt: skip
    assert np.array_equal(scores[0], scores[2])
    # The rare class is predicted with a higher probability.
    assert scores[1][:, 1].mean() > scores[0][:, 1].mean()


@pytest.mark.parametrize("strategy", TRAINED, ids=lambda strategy: strategy.name)
@pytest.mark.parametrize("output", [Scalar(), MultiLabel(("a", "b")), Span(), Text()], ids=lambda one: one.kind)
def test_outputs_without_one_class_are_refused_when_planned(strategy: Strategy, output: Any) -> None:
    task = ToyScalarTask()
    object.__setattr__(task, "output", output)
    reason = _balanced(strategy).supports(ToyBackbone(), task)
    if strategy.supports(ToyBackbone(), task) is None:
        assert (
            reason == f"class_weight needs one class per example or word; {type(output).__name__} has none or several"
        )
    else:
        assert reason


def test_a_strategy_without_the_option_has_its_old_name() -> None:
    catalog = Catalog.discover()
    for strategy in TRAINED:
        assert catalog.strategy(f"{strategy.name}[class_weight=null]").ref.name == strategy.name
        assert catalog.strategy(f"{strategy.name}[class_weight=balanced]").ref.name == (
            f"{strategy.name}[class_weight=balanced]"
        )


def test_a_balanced_probe_of_words_is_scikit_learns() -> None:
    (probe,) = [one for one in TRAINED if one.name == "linear-probe"]
    job = make_job(_balanced(probe), ToyBackbone(), ToyWordsTask(), {"l2": 0.01}, PROTOCOL)
    sample = sample_of(job, "balanced")
    x = sample.features.double().numpy()
    x = (x - x.mean(0)) / x.std(0)
    theirs = LogisticRegression(C=1 / (0.01 * len(x)), class_weight="balanced", tol=1e-8, max_iter=5000)
    expected = theirs.fit(x, sample.targets.numpy()).predict_proba(x)
    head = _balanced(probe).fit(job).model.head.linear  # type: ignore[attr-defined]
    with torch.no_grad():
        mine = torch.nn.functional.linear(sample.features, head.weight, head.bias).softmax(-1).numpy()
    # The solver stops within about 1e-8 of the optimal mean loss, which one of some 500 words may have all of.
    assert np.abs(mine - expected).max() < 2e-3


def test_weights_count_the_classes_of_the_training_subset() -> None:
    (probe,) = [one for one in TRAINED if one.name == "mlp-probe"]
    job = make_job(_balanced(probe), ToyBackbone(), Rare(), {"lr": 1e-3, "weight_decay": 0.1}, PROTOCOL)
    subset = dataclasses.replace(job, train=job.train.take(range(10)))
    (sample,) = samples([subset], "balanced")
    targets = [row.target for row in subset.train.examples]
    weights = [len(targets) / (2 * targets.count(target)) for target in targets]
    assert sample.row_weights is not None  # type: ignore[union-attr]
    assert sample.row_weights.tolist() == pytest.approx(weights)  # type: ignore[union-attr]
