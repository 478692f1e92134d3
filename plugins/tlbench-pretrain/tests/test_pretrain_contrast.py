"""Contrastive learning before supervised training: its losses, its views, and that it separates what differs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tlbench_pretrain.contrastive_heads import info_nce, nt_xent
from tlbench_pretrain.contrastive_learning import SimClr, SimCse
from tlbench_pretrain.image_views import random_views
from tlbench_timm.fractals.backbones import FractalBackbone
from torch import Tensor
from torch.nn import functional

from tlbench import Backbone, Classes, Example, Examples, Job, PluginError, Protocol, SplitName, Task, UsageError
from tlbench.modeling.encoder import Encoder
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import make_job
from tlbench.testing.toy_kinds import ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyTask
from tlbench.training import dropout
from tlbench.training.recipe.augmentation import PIXELS

PROTOCOL = Protocol(max_steps=2, precision="fp32")
SMALL = FractalBackbone("fractal-resnet", size=8)


@dataclass(frozen=True)
class Patterns(Task):
    """Images of coarse random patterns in two classes of contrast."""

    name = "patterns"
    modality = "image"
    metrics = ("accuracy",)
    output = Classes(("pale", "strong"))
    train: int = 24

    def split(self, name: SplitName) -> Examples | None:
        draw = np.random.default_rng(len(name))
        count = {"train": self.train, "validation": 4, "test": 4}.get(name)

        def pattern(label: int) -> Image.Image:
            coarse = 128 + (40 + 80 * label) * draw.uniform(-1, 1, (4, 4, 3))
            return Image.fromarray(coarse.astype(np.uint8)).resize((8, 8))

        return count and Examples(Example(f"{name}-{i}", (pattern(i % 2),), i % 2) for i in range(count))


class TestSimCse(StrategyConformance):
    strategy = SimCse(pretrain_steps=3, stages=0)
    backbone = ToyBackbone(blocks=1)
    tasks = (ToyTask(unlabeled=16),)
    protocol = PROTOCOL
    draws = 1


class TestSimClr(StrategyConformance):
    strategy = SimClr(pretrain_steps=2, pretrain_batch_size=8)
    backbone = SMALL
    tasks = (Patterns(train=12),)
    protocol = PROTOCOL
    draws = 1


def job_of(strategy: Any, backbone: Backbone, task: Task) -> Job:
    """Returns a job with an encoder of its own, whose changes no other test sees."""
    return dataclasses.replace(make_job(strategy, backbone, task, {"lr": 0.0}, PROTOCOL), encoder=backbone.load())


def separation(first: Tensor, second: Tensor) -> float:
    """Returns how much more alike two views of a row are, in the mean of cosines, than views of different rows."""
    cosines = functional.normalize(first, dim=-1) @ functional.normalize(second, dim=-1).T
    own = torch.eye(len(cosines), dtype=torch.bool)
    return float(cosines[own].mean() - cosines[~own].mean())


def test_simcse_moves_texts_apart_and_the_passes_of_a_text_together() -> None:
    strategy = SimCse(pretrain_steps=40, pretrain_lr=3e-2)
    job = job_of(strategy, ToyBackbone(blocks=1), ToyTask(train=64, unlabeled=32))

    def apart() -> float:
        torch.manual_seed(0)
        batch = job.validation.batch(range(32))
        with torch.no_grad():
            return separation(*(job.encoder.train().pool(job.encoder(batch)) for _ in range(2)))

    # All vectors point in about one direction, as those of language models do before SimCSE.
    torch.nn.init.constant_(job.encoder.native.norm.bias, 1.0)
    before = apart()
    job.encoder.eval()
    strategy.fit(job)
    assert job.notes["contrastive_loss_after"] < job.notes["contrastive_loss_before"] / 2
    assert (after := apart()) > 2 * before, (before, after)


def test_simclr_moves_images_apart_and_the_views_of_an_image_together() -> None:
    strategy = SimClr(pretrain_steps=40, pretrain_lr=1e-3, pretrain_batch_size=16)
    job = job_of(strategy, SMALL, Patterns(train=64))

    def apart(encoder: Encoder) -> float:
        torch.manual_seed(0)
        images = job.train.batch(range(0, 64, 2))[PIXELS]
        with torch.no_grad():
            views = [encoder.pool(encoder({PIXELS: random_views(images, flip=True)})) for _ in range(2)]
        return separation(*views)

    before = apart(SMALL.load())
    strategy.fit(job)
    assert job.notes["contrastive_loss_after"] < job.notes["contrastive_loss_before"]
    assert (after := apart(job.encoder)) > 2 * before, (before, after)


def test_the_losses_are_cross_entropies_over_the_other_views() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(3, 5, generator=generator) for _ in range(2))
    unit = [functional.normalize(one, dim=-1) for one in (first, second)]
    cosines = (unit[0] @ unit[1].T / 0.5).exp()
    expected = -(cosines.diag() / cosines.sum(-1)).log()
    assert torch.allclose(info_nce(first, second, 0.5), expected, atol=1e-5)
    views = torch.cat(unit)
    by_hand = []
    for row in range(6):
        others = [(views[row] @ views[other] / 0.5).exp() for other in range(6) if other != row]
        by_hand.append(-((views[row] @ views[(row + 3) % 6] / 0.5).exp() / sum(others)).log())
    assert torch.allclose(nt_xent(first, second, 0.5), torch.stack(by_hand), atol=1e-5)


def test_views_are_other_parts_in_other_light_and_mirrored_only_if_asked() -> None:
    torch.manual_seed(0)
    # Dark on the left and bright on the right, whatever part is kept.
    image = torch.linspace(-1, 1, 16).expand(1, 3, 16, 16)
    images = image.repeat(64, 1, 1, 1)
    plain, mirrored = (random_views(images, flip=flip) for flip in (False, True))
    assert plain.shape == images.shape
    assert torch.isfinite(plain).all()
    assert (plain[0] - plain[1]).abs().max() > 0.01
    assert torch.equal(images, image.repeat(64, 1, 1, 1))
    rises = [(views[..., 8:].mean((1, 2, 3)) > views[..., :8].mean((1, 2, 3))) for views in (plain, mirrored)]
    assert rises[0].all()
    assert 16 < int(rises[1].sum()) < 48


def test_a_backbone_without_dropout_has_no_two_passes_to_compare() -> None:
    strategy = SimCse(pretrain_steps=1)
    job = job_of(strategy, ToyBackbone(blocks=1), ToyTask())
    with dropout(job.encoder, 0.0), pytest.raises(PluginError, match="this backbone applies none"):
        strategy.fit(job)


def test_each_reads_one_modality_and_whole_examples() -> None:
    assert "trains on images" in (SimClr().supports(SMALL, ToyTask()) or "")
    assert "asks for its parts" in (SimCse().supports(ToyBackbone(), ToyWordsTask()) or "")
    assert SimCse().supports(ToyBackbone(), ToyTask()) is None
    assert SimClr().supports(SMALL, Patterns()) is None
    assert SimClr(pretrain_batch_size=10).pretrain_rows == 20
    with pytest.raises(UsageError, match="temperature"):
        SimCse(temperature=0.0)
