"""The strategy `recipe`: what it joins, that it equals the strategies that it names, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tlbench_finetune.joining.part_choice import ORDER

from tlbench import Float, Job, Protocol, Strategy, UsageError
from tlbench.catalog.catalog import Catalog
from tlbench.planning.space_context import space_about
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyBackbone, ToyTask
from tlbench.training import PARTS

PROTOCOL = Protocol(max_steps=6, precision="fp32")
TASK = ToyTask(unlabeled=16)
CATALOG = Catalog.discover()


def strategy_of(name: str) -> Strategy:
    return CATALOG.strategy(name).item


class TestRecipe(StrategyConformance):
    """Start, rates, loss and average of four strategies."""

    strategy = strategy_of("recipe[start=lp-ft,groups=layerwise-lr-decay,loss=r-drop,average=weight-averaging]")
    tasks = (TASK,)
    protocol = Protocol(max_steps=6, precision="fp32", pruner="median")
    draws = 1


class TestRecipeOfTheTopStage(StrategyConformance):
    """A loss of unlabelled examples on cached stages, from a reinitialised top."""

    strategy = strategy_of('recipe[start=reinit-top,loss="fixmatch[stages=1]",average="weight-averaging[models=2]"]')
    tasks = (TASK,)
    protocol = PROTOCOL
    draws = 1


def about() -> Any:
    return space_about(TASK, PROTOCOL, ToyBackbone())


def fitted(name: str) -> tuple[Job, Any]:
    strategy = strategy_of(name)
    job = make_job(strategy, ToyBackbone(), TASK, None, PROTOCOL)
    return job, strategy.fit(job)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("start", "from-scratch"),
        ("start", "tapt[head_steps=2,pretrain_steps=2,stages=1]"),
        ("wrap", "full-finetune"),
        ("wrap", "head-only"),
        ("wrap", "surgical[stages=1-2]"),
        ("groups", "gradual-unfreezing"),
        ("loss", "l2-sp"),
        ("loss", "mixout"),
        ("loss", "pseudo-label[stages=1]"),
        ("average", "weight-averaging[kind=greedy-soup,models=2]"),
    ],
)
def test_a_recipe_of_one_part_equals_the_strategy_to_the_bit(part: str, name: str) -> None:
    recipe, named = strategy_of(f'recipe[{part}="{name}"]'), strategy_of(name)
    assert recipe.space(about()) == named.space(about())
    assert recipe.defaults(about()) == named.defaults(about())
    for fact in ("knows_nothing", "needs_unlabeled", "needs_validation"):
        assert getattr(recipe, fact) == getattr(named, fact)
    backbone = ToyBackbone()
    assert recipe.resources(backbone, TASK) == named.resources(backbone, TASK)
    assert recipe.trainable(backbone) == named.trainable(backbone)
    jobs, predictors = zip(*(fitted(one) for one in (f'recipe[{part}="{name}"]', name)), strict=True)
    mine, theirs = (predictor.model.state_dict() for predictor in predictors)
    assert all(torch.equal(mine[key], theirs[key]) for key in theirs)
    assert jobs[0].notes == jobs[1].notes
    assert predictors[0].trainable_parameters == predictors[1].trainable_parameters


def test_every_part_of_a_recipe_has_its_effect() -> None:
    names = {"start": "lp-ft", "groups": "layerwise-lr-decay", "loss": "r-drop", "average": "weight-averaging"}
    values = {"lr": 1e-3, "l2": 0.01, "groups_decay": 0.7, "average_decay": 0.9, "alpha": 1.0, "decay": 0.9}
    results = []
    for without in ("", *names):
        kept = {part: name for part, name in names.items() if part != without}
        strategy = strategy_of(f"recipe[{','.join(f'{part}={name}' for part, name in kept.items())}]")
        predictor: Any = strategy.fit(make_job(strategy, ToyBackbone(), TASK, values, PROTOCOL))
        results.append(predictor.model.head.linear.weight.detach().clone())
    pairs = [(one, other) for number, one in enumerate(results) for other in results[:number]]
    assert not any(torch.equal(one, other) for one, other in pairs)


def test_spaces_are_joined_and_names_of_two_parts_are_told_apart() -> None:
    space = strategy_of(
        "recipe[wrap=lora,groups=layerwise-lr-decay,loss=r-drop,average=weight-averaging,start=lp-ft]"
    ).space(about())
    assert set(space) == {
        *("lr", "rank", "wrap_alpha", "loss_alpha"),
        *("groups_decay", "average_decay", "l2"),
    }
    lora, r_drop = (strategy_of(name).space(about()) for name in ("lora", "r-drop"))
    assert space["lr"] == lora["lr"] != r_drop["lr"]
    assert (space["wrap_alpha"], space["loss_alpha"]) == (lora["alpha"], r_drop["alpha"])
    assert space["groups_decay"] == Float(0.6, 0.99)


def test_options_of_training_are_those_of_the_whole_recipe(tmp_path: Path) -> None:
    recipe: Any = strategy_of("recipe[start=lp-ft,loss=l2-sp,train_batch_size=8]")
    assert recipe.weight_decay == 0.0, "what l2-sp has in place of it"
    assert {one.train_batch_size for one in recipe.strategies} == {8}
    assert {one.weight_decay for one in recipe.strategies} == {0.0}
    explicit: Any = strategy_of("recipe[loss=l2-sp,weight_decay=0.01]")
    assert explicit.weight_decay == 0.01
    assert CATALOG.strategy("recipe[loss=l2-sp,weight_decay=0.01]").ref.name == "recipe[loss=l2-sp,weight_decay=0.01]"


def test_names_are_canonical_and_the_version_rises_with_that_of_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    written = 'recipe[wrap="partial-finetune[stages=2]", loss="uda[confidence=0.5, deletion=0.25]"]'
    assert CATALOG.strategy(written).ref.name == 'recipe[loss="uda[confidence=0.5]",wrap=partial-finetune]'
    recipe = strategy_of("recipe[start=lp-ft,loss=r-drop]")
    before = recipe.version_for(ToyBackbone(), TASK)
    monkeypatch.setattr(type(strategy_of("r-drop")), "version", 3)
    assert recipe.version_for(ToyBackbone(), TASK) == before + 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("recipe[loss=linear-probe]", "is not trained by gradients"),
        ("recipe[loss=setfit]", "setfit has a fit of its own"),
        ("recipe[loss=recipe]", "a recipe is no part of another"),
        ("recipe[loss=lora]", "lora does not change this part; it brings wrap=lora"),
        ("recipe[loss=no-such]", "unknown strategy 'no-such'"),
        ('recipe[loss="r-drop[dropout=0.2]"]', r"write recipe\[dropout=...,loss=r-drop\]"),
        ('recipe[wrap=lora,loss="uda[stages=1]"]', "brings wrap too, which wrap=lora replaces"),
        ('recipe[start="tapt[stages=1]",loss="uda[stages=1]"]', "both .* and .* bring wrap: name one"),
        ("recipe[wrap=head-only,groups=layerwise-lr-decay]", "head-only trains none"),
        ("recipe[wrap=lora,groups=gradual-unfreezing]", "trains all weights in the end, and lora does not"),
        ("recipe[wrap=lora,loss=l2-sp]", "l2-sp holds trained weights"),
        ("recipe[start=from-scratch,loss=mixout]", "from-scratch has none"),
        ("recipe[start=from-scratch,wrap=head-only]", "from-scratch makes them random"),
        ("recipe[start=reinit-top,wrap=head-only]", "reinit-top makes random"),
        ('recipe[start=tapt,wrap="lora[merge=true]"]', "and tapt changes it"),
        ('recipe[start=lp-ft,loss="dann[stages=0]"]', "puts a hidden layer into the head"),
        ('recipe[wrap=head-only,loss="multi-task[tasks=a]"]', "head-only caches stages"),
        ('recipe[wrap=lora,loss="distill[teacher=toy,hidden=0.5]"]', "hidden compares states"),
        ("recipe[wrap=lora,average=test-time-normalization]", "lora does not train the whole network"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        strategy_of(name)
    assert "\n" not in str(error.value)


def test_what_a_part_needs_or_does_not_support_holds_for_the_recipe() -> None:
    assert "name some" in (strategy_of("recipe").supports(ToyBackbone(), TASK) or "")
    assert "has 3 above" in (
        strategy_of('recipe[wrap="partial-finetune[stages=9]"]').supports(ToyBackbone(), TASK) or ""
    )
    recipe = strategy_of('recipe[start="intermediate[task=mnli]",loss="distill[teacher=bert]"]')
    assert recipe.needs() == ("task:mnli", "backbone:bert")
    assert not strategy_of('recipe[start=from-scratch,loss="distill[teacher=bert]"]').knows_nothing
    assert set(ORDER) == set(PARTS)


def test_the_papers_of_all_parts_are_cited() -> None:
    recipe, papers = strategy_of("recipe[start=lp-ft,loss=r-drop]"), [strategy_of(n).paper for n in ("lp-ft", "r-drop")]
    assert recipe.paper == "; ".join(papers)
