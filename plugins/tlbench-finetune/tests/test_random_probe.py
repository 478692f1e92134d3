"""The random probe: a linear probe whose encoder has random weights instead of the pretrained ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tlbench_finetune.probes.linear_probe import LinearProbe
from tlbench_finetune.probes.random_probe import RandomProbe

from tlbench import Predictions, Protocol, Task
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.disk.disk_cache import DiskCache
from tlbench.testing.jobs import make_job
from tlbench.testing.predictions import distance
from tlbench.testing.toy_kinds import ToyLabelsTask, ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask

TASKS: list[Task] = [ToyTask(), ToyScalarTask(), ToyLabelsTask(), ToyWordsTask()]
PROTOCOL = Protocol(precision="fp32")
L2 = {"l2": 0.1}


def _predictions(strategy: LinearProbe, backbone: ToyBackbone, task: Task, seed: int = 0) -> Predictions:
    job = make_job(strategy, backbone, task, L2, PROTOCOL, seed)
    return strategy.fit(job).predict(job.validation)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_pretrained_weights_change_nothing_and_seeds_do(task: Task) -> None:
    first, second = (_predictions(RandomProbe(), ToyBackbone(weights=weights), task) for weights in (1, 2))
    assert distance(first, second) == 0
    assert distance(first, _predictions(LinearProbe(), ToyBackbone(weights=1), task)) > 0
    assert distance(first, _predictions(RandomProbe(), ToyBackbone(weights=1), task, seed=1)) > 0


def test_it_is_a_linear_probe_of_the_random_network() -> None:
    job = make_job(RandomProbe(), ToyBackbone(), ToyTask(), L2, PROTOCOL, seed=3)
    random_encoder = job.load(pretrained=False).eval()
    by_hand = make_job(LinearProbe(), ToyBackbone(), ToyTask(), L2, PROTOCOL, seed=3)
    by_hand.encoder.load_state_dict(random_encoder.state_dict())
    mine = RandomProbe().fit(job).predict(job.validation)
    theirs = LinearProbe().fit(by_hand).predict(by_hand.validation)
    assert mine.scores is not None
    assert theirs.scores is not None
    assert np.allclose(mine.scores, theirs.scores, atol=1e-6)


def test_activations_of_random_weights_are_apart_from_the_pretrained_ones(tmp_path: Path) -> None:
    job = make_job(RandomProbe(), ToyBackbone(), ToyTask(), L2, PROTOCOL)
    activations = Activations(disk=DiskCache(tmp_path, limit_bytes=1 << 20))
    activations.trust(job.encoder)
    pretrained = activations.features(job.encoder, job.train)
    random_encoders = [
        make_job(RandomProbe(), ToyBackbone(), ToyTask(), L2, PROTOCOL, seed).load(pretrained=False).eval()
        for seed in (0, 1, 0)
    ]
    files = sorted(tmp_path.rglob("*"))
    with activations.metering() as usage:
        features = [activations.features(encoder, job.train) for encoder in random_encoders]
    assert len(usage.read) == 2, "one entry for each seed"
    assert not any(torch.equal(pretrained, one) for one in features)
    assert not torch.equal(features[0], features[1])
    assert torch.equal(features[0], features[2])
    assert sorted(tmp_path.rglob("*")) == files, "random weights are not kept on disk"
