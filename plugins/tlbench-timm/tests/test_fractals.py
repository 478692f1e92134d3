"""Pre-training on fractals: rendering, training, and the weights of the package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tlbench_timm.fractals.backbones import FractalBackbone, backbones
from tlbench_timm.fractals.recipe import RECIPES, Recipe
from tlbench_timm.fractals.render import augment, draw_systems, fractals, render
from tlbench_timm.fractals.train import pretrain
from tlbench_timm.plugin import tlbench_backbones, tlbench_suites
from torch import Generator

from tlbench import Classes, Diverged, Example, Examples, UsageError
from tlbench.modeling.activations.encoding import encode_features, output_digest
from tlbench.planning.suite import read_suite
from tlbench.testing.conformance.backbone import BackboneConformance

NAMES = ("fractal-resnet", "fractal-vit")
"""Those whose weights come with the package."""
LARGEST_BYTES = 2_000_000


def tiny(**changes) -> Recipe:
    recipe = Recipe("test_vit", steps=4, learning_rate=1e-3, batch_size=4, classes=3, instances=4, held_out=1, size=32)
    return replace(recipe, points=1024, **changes)


def test_a_system_that_is_known_is_drawn_as_it_is():
    """Sierpinski's triangle: three maps that halve; its large hole is empty and its corners are not."""
    half = [[0.5, 0.0], [0.0, 0.5]]
    shifts = [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5)]
    maps = torch.tensor([[[*half[0], x], [*half[1], y]] for x, y in shifts])
    image = render(maps[None], tiny(size=64), Generator().manual_seed(0))[0]
    assert image.dtype == torch.uint8
    assert image.shape == (64, 64)
    assert image.max() == 255
    assert (image[:20, :20] > 0).any()
    assert (image[0:4, 56:] > 0).any()
    assert not image[34:, 34:].any()


def test_images_repeat_and_classes_differ():
    images, labels = fractals(tiny())
    again, _ = fractals(tiny())
    other, _ = fractals(tiny(seed=1))
    assert torch.equal(images, again)
    assert not torch.equal(images, other)
    assert labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    flat = images.flatten(1).float()
    distances = torch.cdist(flat, flat)
    same = labels[:, None] == labels[None]
    assert distances[same & ~torch.eye(12, dtype=torch.bool)].mean() < distances[~same].mean()
    assert distances[same & ~torch.eye(12, dtype=torch.bool)].min() > 0, "instances of a class are not copies"


def test_systems_cover_neither_little_nor_all():
    recipe = tiny(classes=6)
    for system in draw_systems(recipe, Generator().manual_seed(3)):
        assert 2 <= len(system) <= 4
        # brought to at most 1 in fp32, by singular values that are found again here: some ten roundings
        largest = torch.linalg.matrix_norm(system[..., :2].double(), ord=2).max()
        assert largest <= 1 + 10 * torch.finfo(system.dtype).eps, "a map that does not contract"
        shown = (render(system[None], recipe, Generator().manual_seed(0)) > 0).float().mean()
        assert 0.5 * recipe.coverage[0] < shown < 1.5 * recipe.coverage[1]


def test_augmented_images_differ_and_are_in_range():
    images, _ = fractals(tiny())
    first, second = (augment(images, Generator().manual_seed(seed)) for seed in (0, 1))
    assert first.shape == (12, 3, 32, 32)
    assert first.min() >= -1
    assert first.max() <= 1
    assert not torch.equal(first, second)
    assert torch.equal(first, augment(images, Generator().manual_seed(0)))
    assert (first.std((2, 3)) > 0).any(1).all(), "an image without a trace of its fractal"


def test_a_recipe_says_what_it_is():
    recipe = tiny()
    assert recipe.digest == tiny().digest
    assert recipe.digest != replace(recipe, steps=5).digest
    assert json.loads(recipe.json)["classes"] == 3
    for change in ({"steps": 0}, {"held_out": 4}, {"held_out": 0}, {"points": 0}):
        with pytest.raises(UsageError, match=next(iter(change))):
            replace(recipe, **change)


@pytest.mark.parametrize("architecture", ["test_vit", "test_resnet"])
def test_training_writes_an_encoder_and_how_it_came_about(tmp_path, architecture):
    path, said = tmp_path / "weights.safetensors", []
    recipe = tiny(architecture=architecture)
    pretrain(recipe, path, said.append)
    with safe_open(path, "pt") as opened:
        metadata, names = opened.metadata(), set(opened.keys())
    assert metadata["recipe_digest"] == recipe.digest
    assert metadata["recipe"] == recipe.json
    assert json.loads(metadata["log"])[-1][0] == 4
    assert 0 <= float(metadata["held_out_accuracy"]) <= 1
    assert not [name for name in names if name.startswith(("head.", "fc."))], "a classifier was kept"
    assert [file.name for file in tmp_path.iterdir()] == ["weights.safetensors"], "a checkpoint was left behind"
    assert said[0] == "12 images of 3 systems"


def test_a_training_that_was_stopped_ends_with_the_same_weights(tmp_path, monkeypatch):
    from tlbench_timm.fractals import train

    monkeypatch.setattr(train, "_EVERY", 2)
    recipe = tiny(steps=5)
    pretrain(recipe, tmp_path / "whole.safetensors", lambda line: None)

    class Stopped(Exception):
        pass

    def stop(line: str) -> None:
        if line.startswith("step 4"):
            raise Stopped

    with pytest.raises(Stopped):
        pretrain(recipe, tmp_path / "parts.safetensors", stop)
    # The line comes before its checkpoint, so that what is kept is step 2.
    lines: list[str] = []
    pretrain(recipe, tmp_path / "parts.safetensors", lines.append)
    assert [line.split(":")[0] for line in lines[1:-1]] == ["step 4 of 5", "step 5 of 5"]
    whole, parts = (load_file(tmp_path / f"{name}.safetensors") for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_checkpoint_of_another_recipe_is_not_taken(tmp_path, monkeypatch):
    from tlbench_timm.fractals import train

    class Stopped(Exception):
        pass

    def stop(line: str) -> None:
        if "accuracy on held-out" in line:
            raise Stopped

    monkeypatch.setattr(train, "_EVERY", 2)
    with pytest.raises(Stopped):
        pretrain(tiny(seed=1), tmp_path / "a.safetensors", stop)
    assert (tmp_path / "a.checkpoint").exists()
    pretrain(tiny(), tmp_path / "a.safetensors", lambda line: None)
    pretrain(tiny(), tmp_path / "b.safetensors", lambda line: None)
    first, second = (load_file(tmp_path / f"{name}.safetensors") for name in "ab")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_loss_that_is_not_finite_ends_it(tmp_path):
    with pytest.raises(Diverged, match="the loss is"):
        pretrain(tiny(steps=50, learning_rate=1e30), tmp_path / "a.safetensors", lambda line: None)
    assert not (tmp_path / "a.safetensors").exists()


@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_are_small_and_say_how_they_were_made(name):
    backbone = FractalBackbone(name)
    assert backbone.file.stat().st_size <= LARGEST_BYTES
    with safe_open(backbone.file, "pt") as opened:
        metadata = opened.metadata()
    made = json.loads(metadata["recipe"])
    renderer = made.pop("renderer")
    recipe = Recipe(**{**made, "coverage": tuple(made["coverage"])})
    assert recipe.digest == metadata["recipe_digest"], f"made by another renderer ({renderer}), or not by this recipe"
    assert recipe == RECIPES[name], "the recipe was changed after the weights were made"
    assert json.loads(metadata["log"])[-1][0] == recipe.steps
    assert float(metadata["held_out_accuracy"]) > 2 / recipe.classes, "it cannot tell fractals apart"
    assert metadata["licence"] == "Apache-2.0"
    assert backbone.card().licence == "Apache-2.0"
    assert backbone.card().revision == metadata["recipe_digest"]


class TestFractalResNet(BackboneConformance):
    backbone = FractalBackbone("fractal-resnet")


class TestFractalViT(BackboneConformance):
    backbone = FractalBackbone("fractal-vit")


class TestRandomWeightsByName(BackboneConformance):
    backbone = FractalBackbone("fractal-vit", random=5)


def test_random_weights_follow_their_seed(monkeypatch):
    def weights(seed):
        return FractalBackbone("fractal-vit", random=seed).load().native.state_dict()["blocks.0.attn.qkv.weight"]

    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda _: pytest.fail("the GPUs' generators were seeded"))
    before = torch.get_rng_state()
    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
    assert torch.equal(torch.get_rng_state(), before)


def test_features_of_a_readout_with_weights_take_no_gradient():
    """The transformer's last norm is part of its readout."""
    backbone = FractalBackbone("fractal-vit", random=0)
    encoder, (train, _) = backbone.load(), digits(5)
    data = backbone.featurize(train, Classes(tuple("0123456789")))
    assert not encode_features(encoder, data, "fp32").requires_grad
    assert output_digest(encoder, data, None, "fp32")


def test_sizes_that_cannot_be_are_refused():
    assert FractalBackbone("fractal-resnet", size=32).data_config()["input_size"] == (3, 32, 32)
    with pytest.raises(UsageError, match="position embeddings are for 64 pixels"):
        FractalBackbone("fractal-vit", size=32)
    with pytest.raises(UsageError, match="at least 8"):
        FractalBackbone("fractal-resnet", size=4)


def test_they_are_listed_without_torch():
    assert {backbone.name for backbone in backbones()} == set(NAMES)
    assert {backbone.name for backbone in tlbench_backbones()} >= set(NAMES)
    code = (
        "import sys; from tlbench_timm.fractals.backbones import backbones;"
        "assert all(b.card().parameters for b in backbones());"
        "print(sorted({'torch', 'timm', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"


def digits(count: int) -> tuple[Examples, Examples]:
    from PIL import Image
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = np.round(found.images * (255 / 16)).astype(np.uint8)
    rows = [
        Example(str(i), (Image.fromarray(p),), int(t))
        for i, (p, t) in enumerate(zip(pixels, found.target, strict=True))
    ]
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(rows)).tolist()
    return Examples(rows).take(order[:count]), Examples(rows).take(order[-count:])


@pytest.mark.parametrize("name", NAMES)
def test_a_probe_on_digits_is_better_than_on_random_weights(name):
    """Features learnt on fractals transfer to an unrelated task."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = digits(300)
    output = Classes(tuple("0123456789"))

    def accuracy(backbone: FractalBackbone) -> float:
        encoder = backbone.load()

        def features(examples: Examples) -> np.ndarray:
            data = backbone.featurize(examples, output)
            with torch.no_grad():
                parts = [encoder.pool(encoder(data.batch(range(i, i + 100)))) for i in range(0, len(data), 100)]
            return torch.cat(parts).numpy()

        shown, asked = features(train), features(test)
        targets, answers = ([example.target for example in examples] for examples in (train, test))
        scores = []
        for penalty in (0.03, 0.3, 3.0, 30.0):  # random features want another penalty: each gets its best
            probe = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=2000))
            scores.append(float(probe.fit(shown, targets).score(asked, answers)))
        return max(scores)

    learned = accuracy(FractalBackbone(name))
    drawn = [accuracy(FractalBackbone(name, random=seed)) for seed in (0, 1)]
    assert learned > max(drawn) + 0.02, f"{learned:.3f} against {drawn}"


def test_the_suite_needs_nothing_that_is_not_embedded():
    paths = {path.stem: path for path in tlbench_suites()}
    suite = read_suite(paths["vision-lite"])
    named = {backbone.partition("[")[0] for block in suite.cells for backbone in block.backbones}
    assert named == set(NAMES)
    assert {task for block in suite.cells for task in block.tasks} == {"digits"}
    assert {s for block in suite.cells for s in block.strategies} == {
        "majority", "colour-histogram", "linear-probe", "random-probe", "full-finetune", "from-scratch"
    }  # fmt: skip
