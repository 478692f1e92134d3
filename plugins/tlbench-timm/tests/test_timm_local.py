"""Small backbones with real weights predict as published, where their files are here."""

from __future__ import annotations

import pytest
import torch
from tlbench_timm.local_backbones import CifarResNet, MobileNetV1
from tlbench_timm.plugin import tlbench_backbones

from tlbench import Classes, Example, Examples, ImageFile, UsageError

BACKBONES = {backbone.name: backbone for backbone in tlbench_backbones()}
CORRECT = 160
"""Of the 200 images that are looked at; another kernel may turn one that is near the border."""
CIFAR = "weights/cifar10_resnet/resnet20-12fca82f.th"
MOBILE = "weights/mobilenetv1_025_imagenet/model.safetensors"


def images(folder, each: int) -> tuple[Examples, tuple[str, ...]]:
    classes = sorted(child.name for child in folder.iterdir() if child.is_dir())
    rows = [
        Example(f"{name}-{i}", (ImageFile(path, str(path)),), label)
        for label, name in enumerate(classes)
        for i, path in enumerate(sorted((folder / name).iterdir())[:each])
    ]
    return Examples(rows), tuple(classes)


@pytest.mark.parametrize("depth", CifarResNet.files)
def test_cifar_resnets_have_the_parameters_that_their_cards_say(depth):
    backbone = BACKBONES[f"cifar-resnet{depth}"]
    encoder = backbone.load(pretrained=False)
    card = backbone.card()
    assert card.parameters == sum(p.numel() for p in encoder.parameters())
    assert (card.width, card.stages) == (encoder.width, len(encoder.stages) - 1)


def test_the_classifier_reads_the_encoder_as_it_did_when_it_was_trained(real_data):
    real_data(CIFAR)
    backbone = BACKBONES["cifar-resnet20"]
    encoder = backbone.load()
    assert not [name for name, _ in encoder.native.named_parameters() if "linear" in name]
    stored = backbone.checkpoint()
    # 20 of the 100 test images of each class; all 1000 give 0.804.
    examples, names = images(real_data("cifar10_jpg/test"), each=20)
    data = backbone.featurize(examples, Classes(names))
    batch = data.batch(range(len(data)))
    with torch.no_grad():
        logits = encoder.pool(encoder(batch)) @ stored["linear.weight"].T + stored["linear.bias"]
        for k in range(1, len(encoder.stages)):
            few = {"pixel_values": batch["pixel_values"][:3]}
            assert torch.equal(encoder(encoder(few, stop=k), start=k).x, encoder(few).x)
    correct = int((logits.argmax(1) == torch.from_numpy(data.targets)).sum())
    assert abs(correct - CORRECT) <= 2


def test_every_depth_loads_its_own_file(real_data):
    real_data(CIFAR)
    for depth in CifarResNet.files:
        backbone = BACKBONES[f"cifar-resnet{depth}"]
        if real_data(backbone.file):
            assert backbone.load().identity.startswith(f"cifar-resnet{depth}@")
            assert backbone.card().on_disk


@pytest.mark.parametrize(("name", "file"), [("cifar-resnet20", CIFAR), ("mobilenetv1-025", MOBILE)])
def test_another_file_under_the_published_name_is_refused(tmp_path, monkeypatch, name, file):
    (tmp_path / file).parent.mkdir(parents=True)
    torch.save({"state_dict": {}}, tmp_path / file)
    monkeypatch.setenv("TLBENCH_DATA", str(tmp_path))
    for use in (BACKBONES[name].load, BACKBONES[name].fetch):
        with pytest.raises(UsageError, match="not the published file"):
            use()


def test_weights_that_are_not_here_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_DATA", str(tmp_path))
    for backbone in BACKBONES.values():
        if isinstance(backbone, CifarResNet | MobileNetV1):
            assert not backbone.card().on_disk
            for use in (backbone.load, backbone.fetch):
                with pytest.raises(UsageError, match="set TLBENCH_DATA to a folder that holds weights/"):
                    use()
    with pytest.raises(UsageError, match="depth is 21"):
        CifarResNet("cifar-resnet21", 21)
    with pytest.raises(UsageError, match="size is 16"):
        MobileNetV1("mobilenetv1-025", 16)


def test_mobilenet_is_what_its_card_says():
    backbone = BACKBONES["mobilenetv1-025"]
    encoder = backbone.load(pretrained=False)
    card = backbone.card()
    assert card.parameters == sum(p.numel() for p in encoder.parameters())
    assert (card.width, card.stages) == (encoder.width, len(encoder.stages) - 1)


def test_a_probe_on_mobilenet_tells_ants_from_bees(real_data):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    real_data(MOBILE)
    backbone = BACKBONES["mobilenetv1-025"]
    train, names = images(real_data("hymenoptera_data/train"), each=50)
    test, _ = images(real_data("hymenoptera_data/val"), each=25)
    scores = {}
    for pretrained in (True, False):
        torch.manual_seed(0)
        encoder = backbone.load(pretrained=pretrained)
        features = []
        for examples in (train, test):
            data = backbone.featurize(examples, Classes(names))
            with torch.no_grad():
                parts = [encoder.pool(encoder(data.batch(range(i, i + 25)))) for i in range(0, len(data), 25)]
            features.append((torch.cat(parts).numpy(), data.targets))
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(*features[0])
        scores[pretrained] = probe.score(*features[1])
    assert scores[True] >= 0.84
    assert scores[True] > scores[False]
