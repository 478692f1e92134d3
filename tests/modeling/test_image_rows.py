"""Images as rows: stored as bytes, normalised in batches, read once if they fit into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from tlbench import Classes, DataError, Example, Examples, ImageFile, PluginError, Scalar, TokenClasses
from tlbench.modeling import image_rows as images
from tlbench.modeling.image_rows import LazyImage, Normalise, image_data

SIZE = (6, 40)
CLASSES = Classes(("no", "yes"))
NORMALISE = Normalise((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


class Prepare:
    """Crops a corner and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, image: Image.Image) -> np.ndarray:
        self.calls += 1
        assert image.mode == "RGB"
        return np.asarray(image).transpose(2, 0, 1)[:, : SIZE[0], : SIZE[1]]


def photos(count: int = 3) -> Examples:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 48, 48, 3), dtype=np.uint8)
    return Examples(Example(str(i), (Image.fromarray(array),), i % 2) for i, array in enumerate(pixels))


def images_of(examples: Examples, prepare: Prepare, output=CLASSES):
    return image_data(
        examples, output, prepare, size=SIZE, normalise=NORMALISE, made="corner", versions={"corner": "1"}
    )


def test_rows_are_bytes_and_batches_are_normalised():
    prepare = Prepare()
    data = images_of(photos(), prepare)
    assert prepare.calls == 3
    assert all(row.dtype == np.uint8 and row.shape == (3, *SIZE) for row in data.rows)
    assert data.lengths.tolist() == [3, 3, 3]
    batch = data.batch([2, 0])["pixel_values"]
    assert batch.dtype == torch.float32
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (NORMALISE.mean, NORMALISE.std))
    expected = (torch.from_numpy(np.stack([data.rows[2], data.rows[0]])) / 255 - mean) / std
    assert torch.equal(batch, expected)
    assert prepare.calls == 3


def test_images_beyond_the_memory_limit_are_read_for_each_batch(monkeypatch):
    held = images_of(photos(), Prepare())
    monkeypatch.setattr(images, "MAX_MEMORY_BYTES", 3 * 3 * 6 * 40 - 1)
    prepare = Prepare()
    data = images_of(photos(), prepare)
    assert prepare.calls == 0
    some = data.take([2, 1])
    assert all(isinstance(row, LazyImage) for row in some.rows)
    assert prepare.calls == 0
    assert torch.equal(some.batch([0, 1])["pixel_values"], held.batch([2, 1])["pixel_values"])
    assert prepare.calls == 2
    assert data.fingerprint == held.fingerprint


def test_many_images_are_prepared_once_for_all_processes(tmp_path, monkeypatch):
    kept = {}

    def cached_arrays(kind, key, make):
        assert kind == "images"
        return kept.setdefault(tuple(sorted(key.items())), make())

    monkeypatch.setattr(images, "cached_arrays", cached_arrays)
    monkeypatch.setattr(images, "MIN_CACHED_IMAGES", 3)
    data = images_of(photos(4), Prepare())
    assert len(data) == 4
    images_of(photos(2), Prepare())
    ((key, arrays),) = kept.items()
    assert {"corner", "1", photos(4).fingerprint} == {value for _, value in key}
    assert arrays["pixels"].shape == (4, 3, *SIZE)


def test_grey_images_become_rgb_and_unreadable_files_are_named(tmp_path):
    grey = Image.fromarray(np.full((48, 48), 7, dtype=np.uint8))
    data = images_of(Examples([Example("0", (grey,))]), Prepare())
    assert set(np.unique(data.rows[0])) == {7}
    (tmp_path / "ruin.jpg").write_text("no image")
    with pytest.raises(DataError, match=r"ruin\.jpg"):
        images_of(Examples([Example("0", (ImageFile(tmp_path / "ruin.jpg", "0"),))]), Prepare())


def test_inputs_other_than_one_image_are_refused():
    with pytest.raises(PluginError, match="two images"):
        images_of(Examples([Example("two images", photos(2)[0].inputs * 2)]), Prepare())
    with pytest.raises(PluginError, match="TokenClasses"):
        images_of(photos(), Prepare(), TokenClasses(("O",)))
    assert len(images_of(Examples([]), Prepare(), Scalar())) == 0


@pytest.mark.parametrize("kept", [True, False])
def test_an_image_that_would_be_enlarged_too_far_for_this_model_is_refused(tmp_path, monkeypatch, kept):
    Image.new("L", (1000, 1)).save(tmp_path / "line.png")
    monkeypatch.setattr(images, "MAX_MEMORY_BYTES", 1 << 30 if kept else 0)
    examples = Examples([Example("0", (ImageFile(tmp_path / "line.png", "0"),), 0)])

    def first_batch():
        never = pytest.fail
        norm = Normalise((0.0,) * 3, (1.0,) * 3)
        return image_data(examples, CLASSES, never, size=(384, 384), normalise=norm, made="", versions={}).batch([0])

    with pytest.raises(DataError, match=r"line\.png: 1000 x 1 pixels: a model that enlarges the shorter side to 384"):
        first_batch()


@dataclass(frozen=True)
class Halves(Classes):
    """Reads the left and the right half of an image, or all of it."""

    reads: ClassVar[str] = "map"
    all_of_it: bool = False

    def regions(self, width, height):
        return (
            ((0, 0, width, height),) if self.all_of_it else ((0, 0, width // 2, height), (width // 2, 0, width, height))
        )


def test_regions_of_an_image_are_rows_with_their_places():
    prepare = Prepare()

    def halved(image: Image.Image) -> np.ndarray:
        return prepare(image.resize((48, 48)))

    data = images_of(photos(2), halved, Halves(("no", "yes")))
    assert data.owners.tolist() == [0, 0, 1, 1]
    assert [region.tolist() for region in data.alignment] == [[0, 0, 24, 48], [24, 0, 48, 48]] * 2
    assert len(data) == len(data.lengths) == 4
    assert data.batch(range(4))["pixel_values"].shape == (4, 3, *SIZE)
    assert not torch.equal(data.batch([0])["pixel_values"], data.batch([1])["pixel_values"])
    assert data.take([1]).alignment[1].tolist() == [24, 0, 48, 48]
    whole = images_of(photos(2), halved, Halves(("no", "yes"), all_of_it=True))
    assert whole.fingerprint != data.fingerprint
    assert whole.owners.tolist() == [0, 1]
