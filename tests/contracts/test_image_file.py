"""An image file: of a format that is known, of a size that can be held, or one line that says why not."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tlbench import DataError, ImageFile
from tlbench.contracts import task as images

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
CASES = [(form, suffix) for form, suffixes in images.FORMATS.items() for suffix in suffixes]


def refused(path) -> str:
    with pytest.raises(DataError) as caught:
        ImageFile(path, "0").open()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("form", "suffix"), CASES)
def test_each_format_is_read_by_its_content(tmp_path, form, suffix):
    NOISE.convert("L").save(tmp_path / f"x{suffix}")
    (tmp_path / f"x{suffix}").rename(tmp_path / "x.dat")
    with Image.open(tmp_path / "x.dat") as image:
        assert image.format == form
    image = ImageFile(tmp_path / "x.dat", "0").open()
    assert (image.mode, image.size) == ("RGB", (40, 40))
    assert suffix in ImageFile.suffixes


def test_a_photo_of_several_frames_is_a_jpeg(tmp_path):
    NOISE.save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=[NOISE])
    assert ImageFile(tmp_path / "x.jpg", "0").open().size == (40, 40)


@pytest.mark.parametrize("form", ["EPS", "PCX"])
def test_no_other_format_is_read_under_the_name_of_one(tmp_path, form):
    NOISE.save(tmp_path / "x.png", form)
    assert "not an image that can be read (BMP, GIF, JPEG" in refused(tmp_path / "x.png")


def test_an_image_of_too_many_pixels_is_not_decoded(tmp_path):
    # A header that claims one row too many, and no pixels: decoding it would fail with another message.
    head = b"IHDR" + struct.pack(">IIBBBBB", 8192, 8193, 8, 2, 0, 0, 0)
    head = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    body = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + body)
    assert "8192 x 8193 pixels, but the limit is 67108864" in refused(tmp_path / "x.png")


def test_the_limit_itself_is_read(tmp_path, monkeypatch):
    NOISE.save(tmp_path / "x.png")
    monkeypatch.setattr(images, "MOST_PIXELS", 1600)
    assert ImageFile(tmp_path / "x.png", "0").open().size == (40, 40)
    monkeypatch.setattr(images, "MOST_PIXELS", 1599)
    assert "40 x 40 pixels" in refused(tmp_path / "x.png")


def test_a_ruin_for_which_pillow_raises_a_syntax_error(tmp_path):
    NOISE.save(tmp_path / "x.png")
    content = bytearray((tmp_path / "x.png").read_bytes())
    at = content.index(b"IDAT")
    # The length of the chunk before its name, too small for its data: the next chunk is read from inside of it.
    content[at - 4 : at] = struct.pack(">I", 1000)
    (tmp_path / "x.png").write_bytes(content)
    with Image.open(tmp_path / "x.png") as image, pytest.raises(SyntaxError):
        image.load()
    assert "broken PNG file" in refused(tmp_path / "x.png")
