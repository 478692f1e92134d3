"""Adapters as a part of a recipe."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tlbench import Backbone, Protocol
from tlbench.catalog.catalog import Catalog
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyTask

PROTOCOL = Protocol(max_steps=4, precision="fp32")
TASK = ToyTask(unlabeled=16)


@pytest.mark.parametrize("name", ["lora[stages=2]", "adalora", "prompt-tuning[tokens=4]"])
def test_a_recipe_of_an_adapter_alone_equals_it_to_the_bit(tiny: dict[str, Backbone], name: str) -> None:
    catalog = Catalog.discover()
    weights = []
    for strategy in (catalog.strategy(f'recipe[wrap="{name}"]').item, catalog.strategy(name).item):
        predictor: Any = strategy.fit(make_job(strategy, tiny["bert"], TASK, None, PROTOCOL))
        weights.append(predictor.model.state_dict())
    assert all(torch.equal(weights[0][key], tensor) for key, tensor in weights[1].items())


@pytest.mark.parametrize(
    "name",
    [
        "recipe[wrap=lora,groups=layerwise-lr-decay,loss=r-drop,average=weight-averaging]",
        'recipe[wrap=adalora,loss=r-drop,start="intermediate[task=toy-labels]"]',
        'recipe[wrap="lora[stages=1]",start="simcse[pretrain_batch_size=8,pretrain_steps=2]",loss=fixmatch]',
    ],
)
def test_an_adapter_with_other_parts_is_saved_with_the_backbone_that_it_adapts(
    tiny: dict[str, Backbone], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    strategy = Catalog.discover().strategy(name).item
    job = make_job(strategy, tiny["bert"], TASK, None, PROTOCOL)
    predictor: Any = strategy.fit(job)
    expected = predictor.predict(job.validation)
    predictor.save(tmp_path)
    again = make_job(strategy, tiny["bert"], TASK, None, PROTOCOL)
    again = dataclasses.replace(again, encoder=tiny["bert"].load())
    loaded: Any = strategy.load(again, tmp_path)
    assert np.array_equal(loaded.predict(again.validation).scores, expected.scores)
    assert loaded.trainable_parameters == predictor.trainable_parameters
