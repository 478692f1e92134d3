"""The pyramid of maps: the same at every cut, cached for a frozen backbone, and trained like any encoder."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from tlbench_dense.pyramid.feature_maps import FeatureMaps, feature_maps
from tlbench_dense.scenes.scene_tasks import DigitBoxes, DigitMasks
from tlbench_finetune.finetuning.frozen_below import HeadOnly, PartialFinetune
from tlbench_finetune.finetuning.whole import FromScratch, FullFinetune
from tlbench_peft.low_rank import Lora
from tlbench_timm.backbone import TimmBackbone
from tlbench_timm.fractals.backbones import FractalBackbone

from tlbench import Backbone, Example, Examples, Protocol
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.testing.exports.exported_predictions import exported
from tlbench.testing.jobs import Rehearsal, make_job
from tlbench.testing.toys import ToyBackbone

TINY = {"train": 12, "validation": 6, "test": 6, "side": 32}
TASKS = (DigitMasks(**TINY), DigitBoxes(**TINY))
TWO_STAGES = DigitBoxes(**TINY, decoder="faster-rcnn")
RESNET = FractalBackbone("fractal-resnet", size=32)


@pytest.mark.parametrize(
    ("backbone", "strides"), [(RESNET, [4, 8, 16, 32]), (FractalBackbone("fractal-vit"), [16, 16, 16, 16])]
)
def test_every_cut_gives_the_same_pyramid(backbone: Backbone, strides):
    encoder = backbone.load()
    view = feature_maps(encoder)
    assert feature_maps(view) is view
    assert [level.stride for level in view.levels] == strides
    batch = {"pixel_values": torch.randn(3, 3, *view.size)}
    with torch.no_grad():
        whole, last = view(batch), encoder(batch).x
        for cut in range(1, len(view.stages) + 1):
            assert torch.equal(view(view(batch, stop=cut), start=cut).x, whole.x)
    found = view.maps(whole)[-1]
    # A transformer's tokens follow its class token.
    expected = last if last.ndim == 4 else last[:, 1:].transpose(1, 2).unflatten(2, found.shape[-2:])
    assert torch.equal(found, expected)


def test_channels_last_maps_are_turned():
    # Swin puts channels last, and its stages are maps of four resolutions.
    backbone = TimmBackbone("timm:swin_tiny_patch4_window7_224", "swin_tiny_patch4_window7_224", size=224)
    encoder = backbone.load(pretrained=False)
    view = feature_maps(encoder)
    assert [level.shape for level in view.levels] == [(96, 56, 56), (192, 28, 28), (384, 14, 14), (768, 7, 7)]
    with torch.no_grad():
        batch = {"pixel_values": torch.randn(1, 3, 224, 224)}
        assert torch.equal(view.maps(view(batch))[-1], encoder(batch).x.permute(0, 3, 1, 2))


def test_a_frozen_pyramid_is_encoded_once():
    task = TASKS[0]
    view = task.output.view(RESNET.load())
    assert isinstance(view, FeatureMaps)
    data, cache = RESNET.featurize(task.split("train"), task.output), Activations()
    first = cache.hidden(view, data, len(view.stages))
    view.inner.forward = None  # from here on the backbone cannot be run
    view.inner.at_stages = None
    again = cache.hidden(view, data, len(view.stages))
    assert torch.equal(first.batch(range(12))["hidden"].x, again.batch(range(12))["hidden"].x)


STRATEGIES = (HeadOnly(), PartialFinetune(stages=1), FullFinetune(), FromScratch(), Lora(targets="all"))


@pytest.mark.parametrize(
    ("strategy", "task"),
    [
        *((strategy, task) for strategy in STRATEGIES for task in TASKS),
        *((strategy, TWO_STAGES) for strategy in STRATEGIES[:3:2]),
    ],
    ids=lambda item: f"{item.name}-{item.decoder}" if hasattr(item, "decoder") else item.name,
)
def test_every_strategy_trains_what_it_says(strategy, task, tmp_path):
    rehearsal = Rehearsal(strategy, RESNET, task, Protocol(max_steps=2, precision="fp32"))
    before = {name: weight.clone() for name, weight in RESNET.load().native.named_parameters()}
    fitted = rehearsal.fit_ok(seed=1)
    predictor = fitted.predictor
    data = rehearsal.data()
    predicted = predictor.predict(data)
    assert len(predicted) == 6
    native = predictor.model.encoder.native
    changed = {n for n, w in native.named_parameters() if n in before and not torch.equal(w.detach(), before[n])}
    if strategy.name in ("head-only", "lora"):
        assert not changed
    elif strategy.name == "partial-finetune":
        lower = {name for stage in predictor.model.encoder.stages[:-1] for name in stage.parameters}
        assert changed
        assert not changed & lower
    else:
        assert len(changed) > 0.9 * len(before)
    predictor.save(tmp_path / "kept")
    job = make_job(strategy, RESNET, task, dict(fitted.result.params), Protocol(max_steps=2, precision="fp32"), seed=1)
    again = strategy.load(job, tmp_path / "kept").predict(data)
    assert again.values.tolist() == predicted.values.tolist()


def test_models_of_transformers_give_maps_of_whole_images(tmp_path):
    transformers = pytest.importorskip("transformers")
    from tlbench_hf.plugin import tlbench_resolve

    sizes = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 20}
    transformers.ViTModel(transformers.ViTConfig(**sizes, image_size=32, patch_size=8)).save_pretrained(tmp_path)
    # It crops, which would hide what lies at the edges.
    processor = {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 48}, "do_center_crop": True}
    processor["crop_size"] = {"height": 32, "width": 32}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    backbone = tlbench_resolve("backbone", f"hf:{tmp_path}")
    task = DigitMasks(**{**TINY, "side": 48})
    assert backbone.supports(task.output) is None
    view = task.output.view(backbone.load())
    assert [level.shape for level in view.levels] == [(16, 4, 4)] * 4
    edge = np.zeros((48, 48, 3), dtype=np.uint8)
    edge[:, :6] = 255
    data = backbone.featurize(Examples([Example("x", (Image.fromarray(edge),), "48x48:0,2304")]), task.output)
    pixels = data.batch([0])["pixel_values"][0, 0]
    assert (pixels[:, :3] > pixels[:, 6:].max()).all()
    rehearsal = Rehearsal(HeadOnly(), backbone, task, Protocol(max_steps=1, precision="fp32"))
    fitted = rehearsal.fit_ok()
    assert fitted.result.validation is not None
    made = exported(fitted.predictor, backbone, task, rehearsal.data("train"), tmp_path / "exported")
    assert made.problem(made.predictions()) == ""


def test_what_gives_no_maps_says_so():
    for task in TASKS:
        assert "maps" in ToyBackbone().supports(task.output)
        assert RESNET.supports(task.output) is None
