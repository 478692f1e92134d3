"""Image models of transformers: one convention, cuts at every block, and pixels of their own processors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from tlbench_hf.plugin import tlbench_resolve
from tlbench_hf.vision.image_backbone import HFVision
from tlbench_hf.vision.image_pixels import VisionConvention, find_blocks, load_processor

from tlbench import Classes, DataError, Example, Examples, ImageFile, PluginError, Span, UsageError
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.stages.staged_encoder import StagedEncoder
from tlbench.testing.agreement import assert_rounded_alike, assert_same_in_fp64
from tlbench.testing.conformance import BackboneConformance

VIT = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 32, "patch_size": 8}
SWIN = {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 2], "num_heads": [2, 2], "window_size": 4}
NEXT = {"hidden_sizes": [8, 16], "depths": [1, 2], "num_stages": 2}
CONFIGS = {
    "vit": transformers.ViTConfig(**VIT, intermediate_size=20),
    "deit": transformers.DeiTConfig(**VIT, intermediate_size=20),
    "dinov2": transformers.Dinov2Config(**VIT, mlp_ratio=2),
    "beit": transformers.BeitConfig(**VIT, intermediate_size=20, use_relative_position_bias=True),
    "swin": transformers.SwinConfig(**SWIN),
    "swinv2": transformers.Swinv2Config(**SWIN),
    "convnext": transformers.ConvNextConfig(**NEXT),
    "convnextv2": transformers.ConvNextV2Config(**NEXT),
}
SQUARE = {"height": 32, "width": 32}
PROCESSORS = {
    "vit": ("ViTImageProcessor", {"size": SQUARE, "image_mean": [0.5] * 3, "image_std": [0.4] * 3}),
    "dinov2": ("BitImageProcessor", {"size": {"shortest_edge": 36}, "crop_size": SQUARE, "do_center_crop": True}),
    "convnext": ("ConvNextImageProcessor", {"size": {"shortest_edge": 32}, "crop_pct": 0.875}),
}


def saved(folder: Path, family: str, processor: str = "vit") -> Path:
    torch.manual_seed(0)
    native = transformers.AutoModel.from_config(CONFIGS[family])
    with torch.no_grad():
        # The usual initial weights are so small that a wrong cut could go unseen.
        for parameter in native.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    native.save_pretrained(folder)
    kind, settings = PROCESSORS[processor]
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": kind, **settings}))
    return folder


def photos(count: int = 4) -> Examples:
    rng = np.random.default_rng(0)
    shapes = [(40 + 9 * i, 64, 3) for i in range(count)]
    images = [Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]
    return Examples(Example(str(i), (image,), i % 2) for i, image in enumerate(images))


class VisionConformance(BackboneConformance):
    family = ""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _folder(cls, tmp_path_factory):
        cls.backbone = tlbench_resolve("backbone", f"hf:{saved(tmp_path_factory.mktemp(cls.family), cls.family)}")
        assert isinstance(cls.backbone, HFVision)
        yield
        del cls.backbone


class TestViT(VisionConformance):
    family = "vit"


class TestSwin(VisionConformance):
    family = "swin"


class TestConvNext(VisionConformance):
    family = "convnext"


@pytest.mark.equivalence
@pytest.mark.parametrize("family", CONFIGS)
def test_every_family_is_cut_at_each_block_and_read_as_the_library_reads_it(family, tmp_path):
    backbone = tlbench_resolve("backbone", f"hf:{saved(tmp_path, family)}")
    encoder = backbone.load().double()
    card = backbone.card()
    assert card.parameters == sum(parameter.numel() for parameter in encoder.parameters())
    assert (card.stages, card.width) == (len(encoder.stages) - 1, encoder.width) == (3, 16)
    batch = backbone.featurize(photos(), Classes(("no", "yes"))).batch(range(4))
    with torch.no_grad():
        whole = encoder(batch)
        for k in range(1, len(encoder.stages) + 1):
            middle = encoder(batch, stop=k)
            assert len(middle.x) == 4
            assert torch.equal(encoder(Hidden(middle.x.clone()), start=k).x, whole.x), k
        library = transformers.AutoModel.from_pretrained(tmp_path, dtype=torch.float32).eval().double()
        library = library(pixel_values=batch["pixel_values"].double())
    assert torch.equal(whole.x, library.last_hidden_state)
    expected = library.last_hidden_state[:, 0] if encoder.readout == "first" else library.pooler_output
    assert_same_in_fp64(encoder.pool(whole), expected)


def test_the_shape_changes_from_stage_to_stage_of_swin(tmp_path):
    backbone = tlbench_resolve("backbone", f"hf:{saved(tmp_path, 'swin')}")
    encoder = backbone.load()
    batch = backbone.featurize(photos(), Classes(("no", "yes"))).batch(range(4))
    with torch.no_grad():
        # A cut lies before its block: what halves the map comes after the last block of the lower stage.
        shapes = [tuple(encoder(batch, stop=k).x.shape[1:]) for k in range(1, 5)]
    assert shapes == [(64, 8), (16, 16), (16, 16), (16, 16)]
    bottom = encoder.stages[1].parameters
    assert any("downsample" in name for name in bottom)


def test_a_frozen_lower_part_is_not_computed_again_after_a_cut():
    native = transformers.AutoModel.from_config(CONFIGS["swin"]).eval()
    encoder = StagedEncoder(
        native, VisionConvention((32, 32)), find_blocks(native, "swin"), readout="mean", identity="swin"
    )
    with torch.no_grad():
        middle = encoder({"pixel_values": torch.randn(2, 3, 32, 32)}, stop=3)
        ran = []
        for path in find_blocks(native, "swin"):
            native.get_submodule(path).register_forward_hook(lambda *_, path=path: ran.append(path))
        encoder(middle, start=3)
    assert ran == ["encoder.layers.1.blocks.1"]


@pytest.mark.equivalence
@pytest.mark.parametrize("kind", PROCESSORS)
def test_pixels_are_those_of_the_librarys_processor(kind, tmp_path):
    folder = saved(tmp_path, "vit", kind)
    backbone = tlbench_resolve("backbone", f"hf:{folder}")
    data = backbone.featurize(photos(), Classes(("no", "yes")))
    assert all(row.dtype == np.uint8 and row.shape == (3, 32, 32) for row in data.rows)
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    expected = processor(images=[example.inputs[0] for example in photos()], return_tensors="pt")["pixel_values"]
    found = data.batch(range(4))["pixel_values"]
    norms = (processor.image_mean, processor.image_std)
    mean, std = (torch.tensor(each, dtype=torch.float64)[:, None, None] for each in norms)
    exact = (torch.from_numpy(np.stack(data.rows)).double() / 255 - mean) / std
    assert_rounded_alike(found, expected, exact)


def test_grey_images_and_files_are_read_as_rgb(tmp_path):
    folder = saved(tmp_path / "model", "vit")
    grey = Image.fromarray(np.arange(48 * 48, dtype=np.uint8).reshape(48, 48))
    grey.save(tmp_path / "grey.png")
    there = ImageFile(tmp_path / "grey.png", "a" * 16)
    gone = ImageFile(tmp_path / "gone.png", "b" * 16)
    backbone = tlbench_resolve("backbone", f"hf:{folder}")
    data = backbone.featurize(Examples([Example("0", (grey,)), Example("1", (there,))]), Classes(("no", "yes")))
    assert np.array_equal(data.rows[0], data.rows[1])
    assert np.array_equal(data.rows[0][0], data.rows[0][2])
    with pytest.raises(DataError, match=r"gone\.png"):
        backbone.featurize(Examples([Example("2", (gone,))]), Classes(("no", "yes")))


def test_what_is_no_image_is_refused(tmp_path):
    backbone = tlbench_resolve("backbone", f"hf:{saved(tmp_path, 'vit')}")
    with pytest.raises(PluginError, match="one image"):
        backbone.featurize(Examples([Example("0", ("a text",))]), Classes(("no", "yes")))
    with pytest.raises(PluginError, match="Span"):
        backbone.featurize(photos(1), Span())
    assert backbone.modality == "image"


def test_a_folder_without_a_processor_is_one_line(tmp_path):
    folder = saved(tmp_path, "vit")
    (folder / "preprocessor_config.json").unlink()
    load_processor.cache_clear()
    backbone = tlbench_resolve("backbone", f"hf:{folder}")
    with pytest.raises(UsageError, match="no image processor"):
        backbone.featurize(photos(1), Classes(("no", "yes")))


def test_missing_tensors_of_an_image_encoder_are_refused(tmp_path, rewrite):
    folder = saved(tmp_path, "vit")
    rewrite(folder, lambda tensors: {name: value for name, value in tensors.items() if ".1." not in name})
    with pytest.raises(PluginError, match="missing from the checkpoint"):
        tlbench_resolve("backbone", f"hf:{folder}").load()


def test_another_readout_is_a_parameter(tmp_path):
    backbone = tlbench_resolve("backbone", f"hf:{saved(tmp_path, 'vit')}")
    mean = HFVision(backbone.name, backbone.source, backbone.revision, readout="mean").load()
    assert mean.readout == "mean"
    assert backbone.load().readout == "first"
    with pytest.raises(UsageError, match="no readout 'last'"):
        HFVision(backbone.name, backbone.source, backbone.revision, readout="last")
