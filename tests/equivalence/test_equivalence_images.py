"""Images: equal to timm's own models in a plain loop.

Weights, order of the batches and hyperparameters are the same. Logits on the validation split agree in fp64 before
training and after it, and in fp32 are as near to them as timm's own; the metric is the same number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score
from torch import Tensor, nn

from tlbench import Classes, Example, Examples, Job, Protocol, SplitName, Task
from tlbench.modeling.data import Data
from tlbench.testing.agreement import assert_rounded_alike, assert_same_in_fp64
from tlbench.testing.jobs import make_job
from tlbench.training import Model

pytest.importorskip("tlbench_finetune", reason="tlbench-finetune is not installed")
pytest.importorskip("tlbench_timm", reason="tlbench-timm is not installed")
timm = pytest.importorskip("timm")

from tlbench_finetune.finetuning.frozen_below import HeadOnly  # noqa: E402
from tlbench_finetune.finetuning.whole import FullFinetune  # noqa: E402
from tlbench_timm.plugin import tlbench_resolve  # noqa: E402

pytestmark = pytest.mark.equivalence

SIZE, STEPS, SIDE = 5, 8, 64


@dataclass(frozen=True)
class Corners(Task):
    """In which corner is the bright spot?"""

    name = "corners"
    modality = "image"
    output = Classes(("upper left", "upper right", "lower left", "lower right"))
    metrics = ("accuracy",)

    def split(self, name: SplitName) -> Examples | None:
        """Returns 16 images of train and 12 of any other split."""
        from PIL import Image

        rng = np.random.default_rng(len(name))
        rows = []
        for i in range(16 if name == "train" else 12):
            pixels = rng.integers(0, 90, (40, 40, 3), dtype=np.uint8)
            y, x = 20 * (i % 4 // 2), 20 * (i % 2)
            pixels[y : y + 20, x : x + 20] += 120
            rows.append(Example(f"{name}-{i}", (Image.fromarray(pixels),), i % 4))
        return Examples(rows)


def _backbone(architecture: str, plain: Any, file: Path) -> Any:
    """Returns the backbone with the weights of timm's model, but for its classifier."""
    from safetensors.torch import save_file

    weights = plain.state_dict()
    save_file({name: value for name, value in weights.items() if not name.startswith(("fc.", "head."))}, file)
    backbone = tlbench_resolve("backbone", f"timm:{architecture}")
    return type(backbone)(backbone.name, architecture, weights=str(file), size=SIDE)


def _job(strategy: Any, backbone: Any, lr: float) -> Job:
    job = make_job(strategy, backbone, Corners(), {"lr": lr}, Protocol(max_steps=STEPS, precision="fp32"))
    job.head.dropout.p = 0.0  # type: ignore[union-attr]
    return job


def _pixels(plain: Any, examples: Examples) -> Tensor:
    settings = timm.data.resolve_data_config({"input_size": (3, SIDE, SIDE)}, model=plain)
    transform = timm.data.create_transform(**settings, is_training=False)
    return torch.stack([transform(example.inputs[0].convert("RGB")) for example in examples])


def _logits(model: Model, data: Data) -> Tensor:
    with torch.no_grad():
        return model.eval()(data.batch(range(len(data))))


def _targets(examples: Examples) -> Tensor:
    return torch.tensor([example.target for example in examples])


@pytest.mark.parametrize(("architecture", "lr"), [("test_resnet", 1e-2), ("test_vit", 1e-3)])
def test_all_weights(
    architecture: str, lr: float, tmp_path: Path, order: Callable[..., Any], train_plainly: Callable[..., None]
) -> None:
    torch.manual_seed(3)
    resized = {} if architecture == "test_resnet" else {"img_size": SIDE}
    plain = timm.create_model(architecture, num_classes=4, **resized)
    strategy = FullFinetune(train_batch_size=SIZE)
    job = _job(strategy, _backbone(architecture, plain, tmp_path / "weights.safetensors"), lr)
    plain.get_classifier().load_state_dict(job.head.linear.state_dict())  # type: ignore[union-attr]
    plain.eval()
    train, validation = (_pixels(plain, data.examples) for data in (job.train, job.validation))
    targets = _targets(job.train.examples)
    with torch.no_grad():
        before = plain(validation)
    mine = _logits(Model(job.encoder, job.head), job.validation)
    for module in (job.encoder, job.head, plain):
        module.double()
    train, validation, rounded = train.double(), validation.double(), before
    with torch.no_grad():
        before = plain(validation)
    assert_rounded_alike(mine, rounded, before)
    assert_same_in_fp64(_logits(Model(job.encoder, job.head), job.validation), before)

    predictor = strategy.fit(job)
    batches = order([1] * len(train), SIZE, STEPS)
    assert {len(rows) for rows in batches} == {2, 4, 5}, "16 rows in batches of 5, none of them alone"
    train_plainly(plain, batches, lambda rows: nn.functional.cross_entropy(plain(train[rows]), targets[rows]), lr)
    with torch.no_grad():
        after = plain(validation)
    assert_same_in_fp64(_logits(predictor.model, job.validation), after)
    assert (after - before).abs().max() > 0.05, "hardly anything was learnt: equality would say nothing"
    accuracy = accuracy_score(_targets(job.validation.examples), after.argmax(-1))
    assert job.score(predictor) == pytest.approx(accuracy, abs=1e-12)


def test_a_new_last_layer(tmp_path: Path, order: Callable[..., Any], train_plainly: Callable[..., None]) -> None:
    """On kept feature maps: equal to a linear layer on the features that timm gives."""
    torch.manual_seed(3)
    plain = timm.create_model("test_resnet", num_classes=0).eval().double()
    strategy = HeadOnly(train_batch_size=SIZE)
    job = _job(strategy, _backbone("test_resnet", plain, tmp_path / "weights.safetensors"), 1e-2)
    job.encoder.double()
    job.head.double()
    layer = nn.Linear(plain.num_features, 4, dtype=torch.float64)
    layer.load_state_dict(job.head.linear.state_dict())  # type: ignore[union-attr]
    with torch.no_grad():
        train, validation = (plain(_pixels(plain, data.examples).double()) for data in (job.train, job.validation))
    targets = _targets(job.train.examples)
    kept = job.activations.hidden(job.encoder, job.train, len(job.encoder.stages))
    assert kept.batch([0, 1])["hidden"].x.ndim == 4

    predictor = strategy.fit(job)
    batches = order([1] * len(train), SIZE, STEPS)
    train_plainly(layer, batches, lambda rows: nn.functional.cross_entropy(layer(train[rows]), targets[rows]), 1e-2)
    with torch.no_grad():
        after = layer(validation)
    assert_same_in_fp64(_logits(predictor.model, job.validation), after)
    assert job.score(predictor) == pytest.approx(
        accuracy_score(_targets(job.validation.examples), after.argmax(-1)), abs=1e-12
    )
