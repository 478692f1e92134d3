"""Fitted image models are folders that timm loads by its own call, and predict as tlbench does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tlbench_finetune.plugin import tlbench_strategies as finetuning_strategies
from tlbench_timm.backbone import TimmBackbone
from tlbench_timm.exports import network_script
from tlbench_timm.loading import staged
from tlbench_timm.local_backbones import CifarResNet, MobileNetV1

from tlbench import Classes, Example, Examples, Output, Predictions, Protocol, Scalar, Task, UsageError
from tlbench.contracts.exports.forms import DenseHead, FeatureModel
from tlbench.running.exporting.exported_check import predictions_without_tlbench
from tlbench.running.prediction.exported_model import exported_predictor
from tlbench.running.prediction.row_files import InputRow
from tlbench.testing.exports.exported_predictions import exported
from tlbench.testing.jobs import Rehearsal

STRATEGIES = {strategy.name: strategy for strategy in finetuning_strategies()}


CLASSES = Classes(("dark", "bright"))


@dataclass(frozen=True)
class Photos(Task):
    output: Output = CLASSES
    metrics: tuple[str, ...] = ("accuracy",)
    name = "photos"
    modality = "image"

    def split(self, name):
        from PIL import Image

        draws = np.random.default_rng(len(name))
        pixels = [draws.integers(0, 128 + 127 * (i % 2), (40, 50 + i, 3), np.uint8) for i in range(6)]
        targets = [float(i) if isinstance(self.output, Scalar) else i % 2 for i in range(6)]
        return Examples(Example(f"{name}-{i}", (Image.fromarray(pixels[i]),), targets[i]) for i in range(6))


CASES = {
    "tuned": ("full-finetune", "test_vit", Photos()),
    "probe": ("linear-probe", "resnet10t", Photos()),
    "number": ("linear-probe", "resnet10t", Photos(Scalar(), ("pearson",))),
    "mlp": ("mlp-probe", "test_vit", Photos()),
    "nearest": ("knn", "resnet10t", Photos()),
}


@pytest.fixture(scope="module")
def folders(weights_file, tmp_path_factory):
    root = tmp_path_factory.mktemp("timm")
    written = {}
    for name, (strategy, architecture, task) in CASES.items():
        # A size that is not the model's own, with and without a classifier in the file.
        classes = 10 if architecture == "test_vit" else 0
        weights = str(weights_file(root, architecture, classes))
        size = 160 if architecture == "test_vit" else 48
        backbone = TimmBackbone(f"timm:{architecture}", architecture, weights=weights, size=size)
        rehearsal = Rehearsal(STRATEGIES[strategy], backbone, task, Protocol(max_steps=2, precision="fp32"))
        predictor = rehearsal.fit_ok().predictor
        written[name] = exported(predictor, backbone, task, rehearsal.data(), root / name)
    return written


def test_folders_predict_without_tlbench_as_the_predictors_do(folders):
    found = predictions_without_tlbench([(one.folder, one.rows) for one in folders.values()])
    for (name, one), predictions in zip(folders.items(), found, strict=True):
        assert one.problem(predictions) == "", name
    assert {name for name, one in folders.items() if one.files.includes_head} == {"tuned", "probe", "number"}


def test_timm_loads_a_folder_with_its_labels_and_preprocessing(folders):
    import timm
    from PIL import Image

    one = folders["tuned"]
    model = timm.create_model(f"local-dir:{one.folder}", pretrained=True).eval()
    assert model.pretrained_cfg["label_names"] == ["dark", "bright"]
    config = timm.data.resolve_model_data_config(model)
    assert config["input_size"] == (3, 160, 160)
    transform = timm.data.create_transform(**config, is_training=False)
    pixels = torch.stack([transform(Image.open(row[0])) for row in one.rows])
    with torch.no_grad():
        chances = model(pixels).softmax(-1).numpy()
    np.testing.assert_allclose(chances, one.own.scores, atol=1e-5)
    by_file = timm.create_model(
        "test_vit", num_classes=2, img_size=160, checkpoint_path=str(one.folder / "model.safetensors")
    )
    with torch.no_grad():
        assert torch.equal(by_file.eval()(pixels), model(pixels))


def test_a_head_on_all_stages_has_no_form_in_timm(weights_file, tmp_path):
    from dataclasses import replace

    weights = str(weights_file(tmp_path, "resnet10t"))
    backbone = TimmBackbone("timm:resnet10t", "resnet10t", weights=weights, size=32)
    probe = replace(STRATEGIES["linear-probe"], layers="best")
    rehearsal = Rehearsal(probe, backbone, Photos(), Protocol(precision="fp32"))
    predictor = rehearsal.fit_ok().predictor
    with pytest.raises(UsageError, match="reads other stages than the last one, for which timm has no form"):
        exported(predictor, backbone, Photos(), rehearsal.data(), tmp_path / "out")


class OnFeatures:
    """A random linear head on an encoder."""

    def __init__(self, encoder):
        self.encoder = encoder
        self.layer = torch.randn(2, encoder.width), torch.randn(2)

    def predict(self, data):
        with torch.no_grad():
            features = self.encoder.pool(self.encoder(data.batch(range(len(data)))))
            scores = torch.nn.functional.linear(features, *self.layer).softmax(1).numpy()
        return Predictions(data.ids, scores.argmax(1), scores)

    def exportable(self, *, keep_adapter=False):
        return FeatureModel(self.encoder, DenseHead((self.layer,)))


@pytest.mark.parametrize("backbone", [CifarResNet("cifar-resnet20", 20), MobileNetV1("mobilenetv1-025", 32)])
def test_a_network_that_timm_does_not_have_is_built_by_the_folder(backbone, tmp_path):
    size = backbone.data_config()["input_size"][1:]
    predictor = OnFeatures(staged(backbone.build(None), backbone.name, size, None))
    data = backbone.featurize(Photos().split("validation"), CLASSES)
    written = exported(predictor, backbone, Photos(), data, tmp_path / "model")
    assert written.problem(written.predictions()) == ""
    # The file that builds the CIFAR networks is this plugin's, and imports torch alone.
    own = tmp_path / "model" / "network.py"
    assert own.is_file() == (backbone.name == "cifar-resnet20")
    assert not own.is_file() or "tlbench" not in own.read_text()
    # `tlbench predict FOLDER` builds it by the installed plugin, and runs no code of the folder.
    if own.is_file():
        own.write_text("raise SystemExit('this ran')\n")
    (tmp_path / "model" / "inputs").rename(tmp_path / "inputs")
    predictor = exported_predictor(tmp_path / "model")
    images = [tmp_path / "inputs" / Path(row[0]).name for row in written.rows]
    rows = [InputRow(number, {"0": str(path)}) for number, path in enumerate(images, 1)]
    answers = [answer for _, answer in predictor.predict(rows, (("0",),), tmp_path)]
    found = [[answer.probabilities[name] for name in CLASSES.names] for answer in answers]
    np.testing.assert_allclose(found, written.own.scores, atol=1e-5)


@pytest.mark.parametrize(
    "changed",
    [
        {"module": "os", "function": "system", "arguments": {"command": "true"}},
        {"arguments": {"depth": 20, "other": 1}},
        {"arguments": {"depth": 10**9}},
        {"arguments": {"depth": {"file": "weights.pth"}}},
    ],
)
def test_a_folder_names_no_other_code_than_that_of_its_network(changed, tmp_path):
    settings = {"module": "network", "function": "ResNet", "arguments": {"depth": 20}, "transform": {}, **changed}
    with pytest.raises(ValueError, match=r"no network that this script knows|takes no argument"):
        network_script.load(tmp_path, settings)
