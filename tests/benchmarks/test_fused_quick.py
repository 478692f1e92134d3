"""The comparison of fits in one pass with fits one by one, on the toy: both ways must come to the same, at any size.

The encoder is in fp64, and so is all that is made with it.
"""

from __future__ import annotations

import pytest
import torch

from benchmarks.fused import __main__ as bench
from benchmarks.fused import heads, tuning
from benchmarks.fused.material import Material
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.testing.agreement import FP64_APART, assert_same_in_fp64
from tlbench.testing.toys import ToyBackbone, ToyTask


@pytest.fixture(scope="module")
def material() -> Material:
    backbone, examples = ToyBackbone(), ToyTask(train=60).split("train")
    encoder, data, activations = backbone.load().double(), backbone.featurize(examples, ToyTask.output), Activations()
    features = activations.features(encoder, data)
    return Material(encoder, data, features, torch.as_tensor(data.targets), activations)


def test_probes_come_to_the_same(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "STEPS", 5)
    monkeypatch.setattr(heads, "ROWS", 40)
    for case in heads.cases(material):
        alone, together = case.alone(), case.together()
        assert len(alone) > 1
        for one, other in zip(alone, together, strict=True):
            assert_same_in_fp64(one, other, case.name)


def test_fine_tuning_comes_to_the_same(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "COUNTS", (2,))
    monkeypatch.setattr(tuning, "STEPS", 3)
    (case,) = tuning.cases(material, lora=False)
    row = bench.measured(case, rounds=1, on_gpu=False)
    assert row["apart"] <= FP64_APART
    first, second = case.together()
    assert not torch.equal(first, second)
    assert bench.line(row).count("|") == bench.HEADER.splitlines()[0].count("|")
