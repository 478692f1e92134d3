"""Reads folders of images and of maps of classes: PNGs whose grey value, or number in the palette, is the class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tlbench import DataError, ImageFile
from tlbench.contracts.images.image_file import MOST_PIXELS
from tlbench_dense.sources.annotated_images import AnnotatedImage, Annotations, Draw, Wanted, listed_names
from tlbench_dense.sources.yolo_files import paired_folders
from tlbench_dense.standalone.class_runs import IGNORED

if TYPE_CHECKING:
    import numpy as np

_MODES = ("1", "L", "P")
_SCALES = {"L;2": 85, "L;4": 17}
"""What Pillow multiplies grey by, for its names of the file's pixels."""


def read_masks(folder: Path, wanted: Wanted, names: str = "") -> Annotations:
    """Returns the annotations of a folder with `images` and `masks`, in which or above which folders name splits.

    A map has the name of its image. Names come from `names=` or `classes.txt`, in the order of the values of pixels.

    Raises:
        DataError: A map is missing or has no image, or the names are.
    """
    if wanted == "boxes":
        raise DataError(f"{folder}: masks have no boxes; boxes are read from coco:, voc: and yolo:")
    classes = listed_names(folder, names)
    if not classes:
        raise DataError(f"{folder}: the classes have no names: add classes.txt, a line each, or give [names=a+b]")
    splits: dict[str, list[AnnotatedImage]] = {}
    for split, images, maps in paired_folders(folder, "images", "masks"):
        pictures = [path for path in sorted(images.rglob("*")) if path.suffix.lower() in ImageFile.suffixes]
        files = {path.relative_to(maps).with_suffix(""): path for path in sorted(maps.rglob("*.png"))}
        stems = {path.relative_to(images).with_suffix("") for path in pictures}
        if alone := sorted(files.keys() - stems):
            raise DataError(f"{files[alone[0]]}: there is no image of this name in {images}")
        if alone := sorted(stems - files.keys()):
            raise DataError(f"{maps / alone[0]}.png: the map of this image is missing")
        splits[split] = [
            AnnotatedImage(stem.as_posix(), image, files[stem], draw=map_in_file(files[stem], len(classes)))
            for image in pictures
            for stem in (image.relative_to(images).with_suffix(""),)
        ]
    return Annotations(classes, splits)


def map_in_file(file: Path, count: int) -> Draw:
    """Returns a function that reads a map of classes.

    Args:
        file: A PNG of 1, 2, 4 or 8 bits, grey or with a palette; 255 is ignored.
        count: Number of classes.
    """

    def draw(width: int, height: int) -> np.ndarray:
        import numpy as np
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(file, formats=("PNG",)) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise DataError(f"{file}: {image.width}x{image.height} pixels, but the limit is {MOST_PIXELS}")
                if image.size != (width, height):
                    raise DataError(
                        f"{file}: a map of {image.width}x{image.height} pixels for an image of {width}x{height}"
                    )
                if image.mode not in _MODES:
                    raise DataError(
                        f"{file}: its pixels are {image.mode}; a map is grey or has a palette, with the number of the"
                        " class at each pixel"
                    )
                # Pillow multiplies grey of 2 and 4 bits so that white is 255; numbers in a palette it leaves.
                scale = _SCALES.get(str(image.tile[0][3]), 1)
                classes = np.asarray(image).astype(np.uint8) // scale
        except FileNotFoundError:
            raise DataError(f"{file}: no such file") from None
        except (DataError, MemoryError):
            raise
        except (UnidentifiedImageError, Exception) as error:
            # For a damaged file Pillow raises almost any exception.
            raise DataError(f"{file}: not a PNG that can be read: {' '.join(str(error).split())[:100]}") from error
        unknown = sorted({*np.unique(classes).tolist()} - {*range(count), IGNORED})
        if unknown:
            row, column = np.argwhere(classes == unknown[0])[0].tolist()
            raise DataError(
                f"{file}: the pixel at ({column}, {row}) has the class {unknown[0]}, and there are {count}: 0 to"
                f" {count - 1}, or {IGNORED} to ignore it"
            )
        return classes

    return draw
