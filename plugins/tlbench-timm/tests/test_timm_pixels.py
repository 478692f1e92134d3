"""Pixels equal those of timm's own transform, at its own size or another."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from tlbench_timm.plugin import tlbench_resolve

from tlbench import Classes, DataError, Example, Examples, ImageFile, PluginError, Text, UsageError

OUTPUT = Classes(("no", "yes"))


@pytest.mark.parametrize("name", ["test_vit.r160_in1k", "test_convnext.r160_in1k", "resnet18.a1_in1k"])
@pytest.mark.parametrize("size", [None, 48])
def test_pixels_are_the_librarys(name, size, photos):
    backbone = dataclasses.replace(tlbench_resolve("backbone", f"timm:{name}"), size=size)
    data = backbone.featurize(photos(), OUTPUT)
    config = timm.data.resolve_data_config(
        {} if size is None else {"input_size": (3, size, size)}, pretrained_cfg=timm.get_pretrained_cfg(name).to_dict()
    )
    transform = timm.data.create_transform(**config, is_training=False)
    expected = torch.stack([transform(example.inputs[0]) for example in photos()])
    assert torch.equal(data.batch(range(4))["pixel_values"], expected)
    assert all(row.dtype == np.uint8 for row in data.rows)
    assert len(set(data.lengths.tolist())) == 1


def test_another_size_is_another_fingerprint(photos):
    backbone = tlbench_resolve("backbone", "timm:test_vit")
    small = dataclasses.replace(backbone, size=32)
    assert small.featurize(photos(), OUTPUT).fingerprint != backbone.featurize(photos(), OUTPUT).fingerprint
    assert small.featurize(photos(), OUTPUT).rows[0].shape == (3, 32, 32)
    with pytest.raises(UsageError, match="at least 8"):
        dataclasses.replace(backbone, size=4)


def test_positions_are_interpolated_for_another_size(tmp_path, weights_file):
    path = weights_file(tmp_path, "test_vit")
    backbone = dataclasses.replace(tlbench_resolve("backbone", "timm:test_vit"), weights=str(path))
    usual, small = backbone.load(), dataclasses.replace(backbone, size=64).load()
    assert usual.native.pos_embed.shape[1] == 101
    assert small.native.pos_embed.shape[1] == 17
    assert torch.equal(usual.native.blocks[0].mlp.fc1.weight, small.native.blocks[0].mlp.fc1.weight)
    assert usual.identity != small.identity
    with torch.no_grad():
        assert small.pool(small({"pixel_values": torch.randn(2, 3, 64, 64)})).shape == (2, 64)
    assert dataclasses.replace(backbone, size=64).card().parameters is None


def test_a_size_that_a_model_cannot_have_is_one_line():
    with pytest.raises(UsageError, match="24x24") as caught:
        dataclasses.replace(tlbench_resolve("backbone", "timm:test_vit"), size=24).load(pretrained=False)
    assert "\n" not in str(caught.value)


def test_files_greys_and_ruins(tmp_path):
    Image.fromarray(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)).save(tmp_path / "grey.png")
    (tmp_path / "ruin.png").write_bytes((tmp_path / "grey.png").read_bytes()[:80])
    backbone = dataclasses.replace(tlbench_resolve("backbone", "timm:test_resnet"), size=32)
    data = backbone.featurize(Examples([Example("0", (ImageFile(tmp_path / "grey.png", "a" * 16),))]), OUTPUT)
    assert data.rows[0].shape == (3, 32, 32)
    assert np.array_equal(data.rows[0][0], data.rows[0][1])
    with pytest.raises(DataError, match=r"ruin\.png"):
        backbone.featurize(Examples([Example("1", (ImageFile(tmp_path / "ruin.png", "b" * 16),))]), OUTPUT)


def test_what_is_no_image_is_refused(photos):
    backbone = tlbench_resolve("backbone", "timm:test_vit")
    with pytest.raises(PluginError, match="one image"):
        backbone.featurize(Examples([Example("0", ("a", "b"))]), OUTPUT)
    with pytest.raises(PluginError, match="Text"):
        backbone.featurize(photos(1), Text())
