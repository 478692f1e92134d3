"""An image file: of a format that is known, of a size that can be held, or one line that says why not."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tlbench import DataError, Example, Examples, ImageFile
from tlbench.contracts.images import image_file as images

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


def as_opened(path) -> tuple[np.ndarray, tuple[str, ...]]:
    file = ImageFile.read(path, "0")
    return np.asarray(file.open()), file.adjusted


@pytest.mark.parametrize(("suffix", "byteorder"), [("png", "<"), ("tiff", "<"), ("tiff", ">"), ("pgm", "<")])
@pytest.mark.parametrize("factor", [256, 257])
def test_sixteen_bits_are_scaled_to_eight(tmp_path, suffix, byteorder, factor):
    grey = np.asarray(NOISE.convert("L"))
    deep = grey.astype(np.uint16) * np.uint16(factor)
    path = tmp_path / f"x.{suffix}"
    if suffix == "pgm":
        path.write_bytes(b"P5 40 40 65535\n" + deep.astype(">u2").tobytes())
    else:
        Image.fromarray(deep.astype(f"{byteorder}u2")).save(path)
    pixels, adjusted = as_opened(path)
    assert np.array_equal(pixels, np.dstack([grey] * 3))
    assert adjusted == ("depth",)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_pixels_of_unknown_range_are_refused(tmp_path, kind):
    Image.fromarray(np.ones((4, 4), dtype=kind)).save(tmp_path / "x.tiff")
    assert "whose range is unknown; save it with 8 or 16 bits" in refused(tmp_path / "x.tiff")


def test_what_is_transparent_lies_on_white(tmp_path):
    layer = Image.new("RGBA", (3, 1), (0, 100, 200, 255))
    layer.putpixel((1, 0), (0, 0, 0, 0))
    layer.putpixel((2, 0), (0, 0, 0, 51))
    layer.save(tmp_path / "x.png")
    pixels, adjusted = as_opened(tmp_path / "x.png")
    assert pixels.tolist() == [[[0, 100, 200], [255, 255, 255], [204, 204, 204]]]
    assert adjusted == ("alpha",)


def test_a_colour_that_stands_for_transparent_is_white(tmp_path):
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "p.gif", transparency=1)
    Image.fromarray(np.array([[7, 9]], dtype=np.uint8)).save(tmp_path / "l.png", transparency=9)
    Image.fromarray(np.array([[7 * 257, 9 * 257]], dtype=np.uint16)).save(tmp_path / "i.png", transparency=9 * 257)
    assert as_opened(tmp_path / "p.gif")[0].tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert as_opened(tmp_path / "l.png")[0].tolist() == [[[7] * 3, [255] * 3]]
    assert as_opened(tmp_path / "i.png")[0].tolist() == [[[7] * 3, [255] * 3]]


@pytest.mark.parametrize(("orientation", "corner"), [(1, 0), (2, 1), (3, 3), (4, 2), (5, 0), (6, 2), (7, 3), (8, 1)])
def test_a_photo_is_turned_as_its_exif_says(tmp_path, orientation, corner):
    stored = np.array([[0, 50, 100], [150, 200, 250]], dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "x.png", exif=exif)
    pixels, adjusted = as_opened(tmp_path / "x.png")
    # By the standard, orientations 5 to 8 lie on their side; the pixel shown at the top left tells them apart.
    assert pixels.shape == ((2, 3, 3) if orientation < 5 else (3, 2, 3))
    assert pixels[0, 0, 0] == [stored[0, 0], stored[0, 2], stored[1, 0], stored[1, 2]][corner]
    assert adjusted == (() if orientation == 1 else ("orientation",))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_exif_in_disorder_spoils_no_picture(tmp_path):
    NOISE.save(tmp_path / "x.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert as_opened(tmp_path / "x.jpg")[1] == ()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "RGBA", "LA"])
def test_an_ordinary_image_is_what_pillow_decodes(tmp_path, mode):
    path = tmp_path / ("x.tiff" if mode == "CMYK" else "x.png")
    NOISE.convert(mode).save(path)
    pixels, adjusted = as_opened(path)
    with Image.open(path) as image:
        assert np.array_equal(pixels, np.asarray(image.convert("RGB")))
    # The alpha of these is opaque everywhere, so it changes nothing.
    assert adjusted == ()


@pytest.mark.parametrize(("size", "is_read"), [((1024, 1), True), ((1025, 1), False), ((1, 1025), False)])
def test_an_image_that_would_be_enlarged_too_far_is_refused(tmp_path, size, is_read):
    Image.new("L", size).save(tmp_path / "x.png")
    if is_read:
        assert ImageFile(tmp_path / "x.png", "0").open().size == size
    else:
        assert "enlarges the shorter side to 256 would make more than 67108864" in refused(tmp_path / "x.png")


def test_an_image_opened_otherwise_has_another_fingerprint(tmp_path):
    NOISE.save(tmp_path / "plain.png")
    layer = NOISE.convert("RGBA")
    layer.putpixel((0, 0), (0, 0, 0, 0))
    layer.save(tmp_path / "layer.png")
    for name, changes in (("plain.png", False), ("layer.png", True)):
        known, read = ImageFile(tmp_path / name, "f00d"), ImageFile.read(tmp_path / name, "f00d")
        prints = {Examples([Example("0", (file,))]).fingerprint for file in (known, read)}
        assert len(prints) == (2 if changes else 1)
    # In memory, an image counts as what is shown of it.
    shown = ImageFile(tmp_path / "layer.png", "0").open()
    assert Examples([Example("0", (layer,))]).fingerprint == Examples([Example("0", (shown,))]).fingerprint


def test_the_size_is_that_of_the_opened_image(tmp_path):
    plain, turned = tmp_path / "plain.png", tmp_path / "turned.jpg"
    Image.new("RGB", (30, 20)).save(plain)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(turned, exif=exif)
    for path, size in ((plain, (30, 20)), (turned, (20, 30))):
        file = ImageFile.read(path, "0")
        assert file.size == file.open().size == size
    plain.write_bytes(b"no image")
    for path in (plain, tmp_path / "absent.png"):
        with pytest.raises(DataError, match=path.name):
            _ = ImageFile(path, "0").size
