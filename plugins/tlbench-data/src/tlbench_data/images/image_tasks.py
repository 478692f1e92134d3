"""The named public image tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tlbench import Classes, DataError, Example, Examples, SplitName, Task, draw
from tlbench_data import places
from tlbench_data.division.split_options import check_seed
from tlbench_data.images.cifar10 import read_cifar
from tlbench_data.images.idx import read_labelled
from tlbench_data.images.image_checks import content_of, examples_of
from tlbench_data.images.image_folders import list_images
from tlbench_data.option_fields import option

if TYPE_CHECKING:
    import numpy as np

_CIFAR_FOLDERS = ("cifar-10-batches-bin", "cifar10/cifar-10-batches-bin", "cifar10")
_CIFAR_FILES: Mapping[str, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
# A smaller copy of CIFAR-10 that was compressed as JPEG.
_JPEG = "cifar10_jpg"


@dataclass(frozen=True)
class ImageTask(Task):
    """Base class of the public image tasks."""

    modality = "image"
    metrics = ("accuracy", "f1_macro")

    def check_size(self, name: str, count: int) -> None:
        """Refuses a split whose number of images is not the published one.

        Raises:
            DataError: The numbers differ.
        """
        if count != self.sizes.get(name, count):
            raise DataError(f"{self.name}: {count} images in {name}, where {self.sizes[name]} are published")


@dataclass(frozen=True)
class Cifar10(ImageTask):
    """CIFAR-10 as published, read from the binary version's files (Krizhevsky 2009)."""

    name = "cifar10"
    datasets = ("cifar10",)
    output = Classes(("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"))
    description = "Photographs of 32x32 pixels in ten classes; validation is carved from train"
    source = "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images"
    licence = "none stated"
    sizes: ClassVar[Mapping[str, int]] = MappingProxyType({"train": 50_000, "test": 10_000})

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of train or test.

        Raises:
            DataError: The files are missing, cannot be used, or are not as published.
        """
        if name not in _CIFAR_FILES:
            return None
        folder = _original_folder()
        if folder is None:
            raise DataError(self.missing() or self.name)
        pixels, labels = self._read(folder, name)
        return examples_of_arrays(name, pixels, labels)

    def missing(self) -> str | None:
        """Returns which files are missing and how to get them, or None."""
        files = [file for names in _CIFAR_FILES.values() for file in names]
        return None if _original_folder() else places.advice(self.name, _CIFAR_FOLDERS[0], files)

    def _read(self, folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
        pixels, labels = read_cifar([folder / file for file in _CIFAR_FILES[name]])
        self.check_size(name, len(labels))
        return pixels, labels


@dataclass(frozen=True)
class Cifar10OnePercent(Cifar10):
    """500 of CIFAR-10's training images, 50 per class, tested on its test images (Krizhevsky 2009).

    Read from the published files if they are there, else from a copy of 300 training and 100 test images per class in
    JPEG. The copy lost detail: its scores are lower, and comparable only with each other. A record's data fingerprint
    tells which one was used.
    """

    name = "cifar10-1pct"
    datasets = ("cifar10",)
    description = (
        "1% of CIFAR-10: 500 training images, 50 a class, a fifth of them for validation; the published test, or "
        "1,000 images of it where only the JPEG copy is here, which is lossy"
    )
    sizes: ClassVar[Mapping[str, int]] = MappingProxyType({"train": 500})
    copies: ClassVar[Mapping[str, int]] = MappingProxyType({"train": 3_000, "test": 1_000})
    """Sizes of the JPEG copy."""

    draw_seed: int = option(0, "seed that selects the 500 images")
    files: Literal["any", "original", "jpeg"] = option("any", "any, original or jpeg; any prefers the original files")

    def __post_init__(self) -> None:
        check_seed(self.name, "draw_seed", self.draw_seed)

    def split(self, name: SplitName) -> Examples | None:
        """Returns the drawn training examples, or all test examples.

        Raises:
            DataError: The files are missing, cannot be used, or are not as published.
        """
        if name not in _CIFAR_FILES:
            return None
        missing = self.missing()
        if missing:
            raise DataError(missing)
        original = _original_folder() if self.files != "jpeg" else None
        if original is None:
            return self._split_of_copy(name)
        # By Cifar10 itself, since this class's sizes are those of the subset.
        pixels, labels = Cifar10()._read(original, name)
        if name == "test":
            return examples_of_arrays(name, pixels, labels)
        chosen = self._drawn(range(len(labels)), labels.tolist())
        return examples_of_arrays(name, pixels, labels, chosen)

    def missing(self) -> str | None:
        """Returns which files are missing and how to get them, or None."""
        if (self.files != "jpeg" and _original_folder()) or (self.files != "original" and _copy_folder()):
            return None
        if self.files == "original":
            return Cifar10().missing()
        return places.advice(self.name, _JPEG, ["train/<class>/", "test/<class>/"])

    def _split_of_copy(self, name: str) -> Examples:
        folder = _copy_folder()
        assert folder is not None
        files = list_images(folder / name, f"{name}/")
        if len(files) != self.copies[name]:
            raise DataError(f"{folder}: {len(files)} images in {name}, where the copy has {self.copies[name]}")
        # Keyed by content, because the JPEG copy may contain an image twice.
        if name == "train":
            keys = [content_of(file.path) for file in files]
            files = [files[position] for position in self._drawn(keys, [file.label for file in files])]
        return Examples(examples_of(files, self.output.names))

    def _drawn(self, keys: Sequence[Any], labels: Sequence[Any]) -> list[int]:
        share = self.sizes["train"] / len(labels)
        return draw(keys, labels, {"rest": 1 - share, "drawn": share}, self.draw_seed)["drawn"]


@dataclass(frozen=True)
class FashionMnist(ImageTask):
    """Fashion-MNIST as published, read from its four IDX files (Xiao et al. 2017, arXiv:1708.07747)."""

    name = "fashion-mnist"
    datasets = ("fashion_mnist",)
    output = Classes(
        ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
    )
    description = "Grey pictures of 28x28 pixels of ten kinds of clothing; validation is carved from train"
    source = "Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747"
    licence = "MIT"
    sizes: ClassVar[Mapping[str, int]] = MappingProxyType({"train": 60_000, "test": 10_000})
    folders: ClassVar[tuple[str, ...]] = ("fashion-mnist", "FashionMNIST/raw", "fashion_mnist")
    stems: ClassVar[Mapping[str, str]] = MappingProxyType({"train": "train", "test": "t10k"})

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of train or test.

        Raises:
            DataError: The files are missing, cannot be used, or are not as published.
        """
        if name not in self.stems:
            return None
        folder = self._folder()
        if folder is None:
            raise DataError(self.missing() or self.name)
        images, labels = (places.pick(folder, names) for names in self._names(self.stems[name]))
        assert images is not None
        assert labels is not None
        pixels, targets = read_labelled(images, labels, len(self.output.names))
        self.check_size(name, len(targets))
        return examples_of_arrays(name, pixels, targets)

    def missing(self) -> str | None:
        """Returns which files are missing and how to get them, or None."""
        files = [names[0] for stem in self.stems.values() for names in self._names(stem)]
        return None if self._folder() else places.advice(self.name, self.folders[0], files)

    def _folder(self) -> Path | None:
        return places.find(self.folders, [names for stem in self.stems.values() for names in self._names(stem)])

    @staticmethod
    def _names(stem: str) -> list[tuple[str, str]]:
        parts = (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
        # Published compressed; torchvision keeps the files unpacked.
        return [(f"{part}.gz", part) for part in parts]


@dataclass(frozen=True)
class Hymenoptera(ImageTask):
    """Ants and bees: the images of PyTorch's transfer-learning tutorial, or a smaller copy of them."""

    name = "hymenoptera"
    datasets = ("imagenet-1k",)
    output = Classes(("ants", "bees"))
    description = (
        "Photographs of ants and bees, 244 for training; its validation folder (153) is the test, and validation is "
        "carved from train; a copy of 100 and 50 of them is read too"
    )
    source = "C. Sasank, Transfer Learning for Computer Vision, a tutorial of PyTorch; pictures out of ImageNet"
    licence = "the photographs belong to their owners; research and education"
    folders: ClassVar[tuple[str, ...]] = ("hymenoptera_data", "hymenoptera")
    places_of: ClassVar[Mapping[str, str]] = MappingProxyType({"train": "train", "test": "val"})
    copies: ClassVar[tuple[Mapping[str, int], ...]] = ({"train": 244, "test": 153}, {"train": 100, "test": 50})
    """Sizes as published, and of the smaller copy."""

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of train, or of the folder `val` as test; None for any other split.

        Raises:
            DataError: The files are missing, cannot be decoded, or are neither the published nor the smaller set.
        """
        if name not in self.places_of:
            return None
        folder = self._folder()
        if folder is None:
            raise DataError(self.missing() or self.name)
        # Both splits are listed, because only their two sizes together tell the published set from the smaller copy.
        files = {split: list_images(folder / place, f"{split}/") for split, place in self.places_of.items()}
        sizes = {split: len(rows) for split, rows in files.items()}
        if sizes not in self.copies:
            raise DataError(
                f"{folder}: {sizes['train']} and {sizes['test']} images, where 244 and 153 are published "
                "(100 and 50 in the smaller copy)"
            )
        return Examples(examples_of(files[name], self.output.names))

    def missing(self) -> str | None:
        """Returns which files are missing and how to get them, or None."""
        files = [f"{split}/{label}/" for split in self.places_of.values() for label in self.output.names]
        return None if self._folder() else places.advice(self.name, self.folders[0], files)

    def _folder(self) -> Path | None:
        needed = [(f"{split}/{label}",) for split in self.places_of.values() for label in self.output.names]
        return places.find(self.folders, needed)


@dataclass(frozen=True)
class Digits(ImageTask):
    """Handwritten digits of 8x8 pixels, which come with scikit-learn (Alpaydin and Kaynak 1998).

    They are the test part of a larger set, so there is no official split: this one is drawn with a seed.
    """

    name = "digits"
    output = Classes(tuple("0123456789"))
    description = "1,797 handwritten digits of 8x8 grey pixels, embedded; drawn into splits by a seed, stratified"
    source = "Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, UCI repository"
    licence = "CC BY 4.0"
    sizes: ClassVar[Mapping[str, int]] = MappingProxyType({"train": 1079, "validation": 359, "test": 359})
    shares: ClassVar[Mapping[str, float]] = MappingProxyType({"train": 0.6, "validation": 0.2, "test": 0.2})

    split_seed: int = option(0, "seed of the split")

    def __post_init__(self) -> None:
        check_seed(self.name, "split_seed", self.split_seed)

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a drawn split.

        Raises:
            DataError: The installed scikit-learn has a different number of images.
        """
        if name not in self.shares:
            return None
        import numpy as np
        from sklearn.datasets import load_digits

        digits = load_digits()
        # scikit-learn's pixels go from 0 to 16.
        pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
        keys = [image.tobytes() for image in pixels]
        chosen = draw(keys, digits.target.tolist(), self.shares, self.split_seed)[name]
        self.check_size(name, len(chosen))
        return examples_of_arrays("digit", self.altered(pixels, name), digits.target, chosen)

    def altered(self, pixels: np.ndarray, split: SplitName) -> np.ndarray:
        """Returns the pixels (N, 8, 8) of all images in uint8 as this split has them: as they are."""
        return pixels


def tasks() -> list[Task]:
    """Returns the named image tasks, whether or not their files are on this machine."""
    return [Cifar10(), Cifar10OnePercent(), Digits(), FashionMnist(), Hymenoptera()]


def examples_of_arrays(prefix: str, pixels: Any, labels: Any, chosen: Sequence[int] | None = None) -> Examples:
    """Returns one example per row, or per chosen row, of pixels (N, H, W) grey or (N, H, W, 3) colour in uint8."""
    from PIL import Image

    rows = range(len(labels)) if chosen is None else chosen
    # Copied, so that an image does not keep the whole array in memory.
    return Examples(
        Example(f"{prefix}-{row}", (Image.fromarray(pixels[row].copy()),), int(labels[row])) for row in rows
    )


def _original_folder() -> Path | None:
    return places.find(_CIFAR_FOLDERS, [(file,) for files in _CIFAR_FILES.values() for file in files])


def _copy_folder() -> Path | None:
    return places.find((_JPEG,), [("train",), ("test",)])
