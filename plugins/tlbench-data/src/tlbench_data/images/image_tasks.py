"""The named image tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tlbench import Classes, DataError, Example, Examples, SplitName, Task
from tlbench_data import places
from tlbench_data.drawing import check_seed, draw
from tlbench_data.images.cifar10 import read_cifar
from tlbench_data.images.idx import read_labelled
from tlbench_data.images.image_folders import content_of, examples_of, listed

if TYPE_CHECKING:
    import numpy as np

_CIFAR_FOLDERS = ("cifar-10-batches-bin", "cifar10/cifar-10-batches-bin", "cifar10")
_CIFAR_FILES: Mapping[str, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
_JPEG = "cifar10_jpg"


@dataclass(frozen=True)
class ImageTask(Task):
    """What the named image tasks share."""

    modality = "image"
    metrics = ("accuracy", "f1_macro")

    def check_size(self, name: str, found: int) -> None:
        """Refuses a split that does not have its published size.

        Raises:
            DataError: It has another.
        """
        if found != self.sizes.get(name, found):
            raise DataError(f"{self.name}: {found} images in {name}, where {self.sizes[name]} are published")


@dataclass(frozen=True)
class Cifar10(ImageTask):
    """CIFAR-10 as published, from the binary version's files."""

    name = "cifar10"
    output = Classes(("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"))
    description = "Photographs of 32x32 pixels in ten classes; validation is carved from train"
    source = "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images"
    sizes: ClassVar[Mapping[str, int]] = MappingProxyType({"train": 50_000, "test": 10_000})

    def split(self, name: SplitName) -> Examples | None:
        """Returns the images of train or test.

        Raises:
            DataError: The files are not here, cannot be used, or do not hold what was published.
        """
        if name not in _CIFAR_FILES:
            return None
        folder = _original()
        if folder is None:
            raise DataError(self.missing() or self.name)
        pixels, labels = self._read(folder, name)
        return _examples(name, pixels, labels)

    def missing(self) -> str | None:
        """Returns where the files should be, if they are not."""
        files = [file for names in _CIFAR_FILES.values() for file in names]
        return None if _original() else places.advice(self.name, _CIFAR_FOLDERS[0], files)

    def _read(self, folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
        pixels, labels = read_cifar([folder / file for file in _CIFAR_FILES[name]])
        self.check_size(name, len(labels))
        return pixels, labels


@dataclass(frozen=True)
class Cifar10OnePercent(Cifar10):
    """500 of CIFAR-10's training images, 50 a class; tested on its test images.

    Read from the files as published where they are, and otherwise from a copy of 300 training and 100 test images a
    class that was compressed as JPEG and lost detail in it: scores on the copy are lower, and comparable with each
    other alone. Which one a record saw is in its data's fingerprint.
    """

    name = "cifar10-1pct"
    description = (
        "1% of CIFAR-10: 500 training images, 50 a class, a fifth of them for validation; the published test, or "
        "1,000 images of it where only the JPEG copy is here, which is lossy"
    )
    sizes: ClassVar[Mapping[str, int]] = MappingProxyType({"train": 500})
    copies: ClassVar[Mapping[str, int]] = MappingProxyType({"train": 3_000, "test": 1_000})
    """The sizes of the JPEG copy."""

    draw_seed: int = 0
    """Which 500."""
    files: Literal["any", "original", "jpeg"] = "any"
    """Which files to read; any: the original ones where they are."""

    def __post_init__(self) -> None:
        check_seed(self.name, "draw_seed", self.draw_seed)

    def split(self, name: SplitName) -> Examples | None:
        """Returns the drawn training images, or all test images.

        Raises:
            DataError: The files are not here, cannot be used, or do not hold what was published.
        """
        if name not in _CIFAR_FILES:
            return None
        missing = self.missing()
        if missing:
            raise DataError(missing)
        original = _original() if self.files != "jpeg" else None
        if original is None:
            return self._copied(name)
        pixels, labels = Cifar10()._read(original, name)
        if name == "test":
            return _examples(name, pixels, labels)
        chosen = self._chosen(range(len(labels)), labels.tolist())
        return _examples(name, pixels, labels, chosen)

    def missing(self) -> str | None:
        """Returns where the files should be, if they are not."""
        if (self.files != "jpeg" and _original()) or (self.files != "original" and _copy()):
            return None
        if self.files == "original":
            return Cifar10().missing()
        return places.advice(self.name, _JPEG, ["train/<class>/", "test/<class>/"])

    def _copied(self, name: str) -> Examples:
        folder = _copy()
        assert folder is not None
        files = listed(folder / name, f"{name}/")
        if len(files) != self.copies[name]:
            raise DataError(f"{folder}: {len(files)} images in {name}, where the copy has {self.copies[name]}")
        if name == "train":
            keys = [content_of(file.path) for file in files]
            files = [files[position] for position in self._chosen(keys, [file.label for file in files])]
        return Examples(examples_of(files, self.output.names))

    def _chosen(self, keys: Sequence[Any], labels: Sequence[Any]) -> list[int]:
        share = self.sizes["train"] / len(labels)
        return draw(keys, labels, {"rest": 1 - share, "drawn": share}, self.draw_seed)["drawn"]


@dataclass(frozen=True)
class FashionMnist(ImageTask):
    """Fashion-MNIST as published, from its four IDX files."""

    name = "fashion-mnist"
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
        """Returns the images of train or test.

        Raises:
            DataError: The files are not here, cannot be used, or do not hold what was published.
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
        return _examples(name, pixels, targets)

    def missing(self) -> str | None:
        """Returns where the files should be, if they are not."""
        files = [names[0] for stem in self.stems.values() for names in self._names(stem)]
        return None if self._folder() else places.advice(self.name, self.folders[0], files)

    def _folder(self) -> Path | None:
        return places.find(self.folders, [names for stem in self.stems.values() for names in self._names(stem)])

    @staticmethod
    def _names(stem: str) -> list[tuple[str, str]]:
        parts = (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
        return [(f"{part}.gz", part) for part in parts]


@dataclass(frozen=True)
class Hymenoptera(ImageTask):
    """Ants and bees: the PyTorch tutorial's pictures, or the smaller copy of the first of them."""

    name = "hymenoptera"
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
        """Returns the images of train, or of the folder `val` as the test.

        Raises:
            DataError: The files are not here, cannot be read, or are not the published or the smaller set.
        """
        if name not in self.places_of:
            return None
        folder = self._folder()
        if folder is None:
            raise DataError(self.missing() or self.name)
        files = {split: listed(folder / place, f"{split}/") for split, place in self.places_of.items()}
        found = {split: len(rows) for split, rows in files.items()}
        if found not in self.copies:
            raise DataError(
                f"{folder}: {found['train']} and {found['test']} images, where 244 and 153 are published "
                "(100 and 50 in the smaller copy)"
            )
        return Examples(examples_of(files[name], self.output.names))

    def missing(self) -> str | None:
        """Returns where the files should be, if they are not."""
        files = [f"{split}/{label}/" for split in self.places_of.values() for label in self.output.names]
        return None if self._folder() else places.advice(self.name, self.folders[0], files)

    def _folder(self) -> Path | None:
        needed = [(f"{split}/{label}",) for split in self.places_of.values() for label in self.output.names]
        return places.find(self.folders, needed)


@dataclass(frozen=True)
class Digits(ImageTask):
    """Handwritten digits of 8x8 pixels that come with scikit-learn; always here.

    They are the published test part of a larger set, so nobody's split is official: this one is drawn by seed 0.
    """

    name = "digits"
    output = Classes(tuple("0123456789"))
    description = "1,797 handwritten digits of 8x8 grey pixels, embedded; drawn into splits by a seed, stratified"
    source = "Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, UCI repository"
    licence = "CC BY 4.0"
    sizes: ClassVar[Mapping[str, int]] = MappingProxyType({"train": 1079, "validation": 359, "test": 359})

    split_seed: int = 0
    """Draws the splits: 60/20/20."""

    def __post_init__(self) -> None:
        check_seed(self.name, "split_seed", self.split_seed)

    def split(self, name: SplitName) -> Examples | None:
        """Returns the drawn images of a split.

        Raises:
            DataError: scikit-learn brings other images than it did.
        """
        if name not in self.sizes:
            return None
        import numpy as np
        from sklearn.datasets import load_digits

        found = load_digits()
        pixels = np.round(found.images * (255 / 16)).astype(np.uint8)
        keys = [image.tobytes() for image in pixels]
        shares = {"train": 0.6, "validation": 0.2, "test": 0.2}
        chosen = draw(keys, found.target.tolist(), shares, self.split_seed)[name]
        self.check_size(name, len(chosen))
        return _examples("digit", pixels, found.target, chosen)


def tasks() -> list[Task]:
    """Returns the named image tasks, whether their files are here or not."""
    return [Cifar10(), Cifar10OnePercent(), Digits(), FashionMnist(), Hymenoptera()]


def _examples(prefix: str, pixels: Any, labels: Any, chosen: Sequence[int] | None = None) -> Examples:
    """Returns an example for each row of (N, H, W) grey or (N, H, W, 3) coloured bytes, or for the chosen ones."""
    from PIL import Image

    rows = range(len(labels)) if chosen is None else chosen
    return Examples(
        Example(f"{prefix}-{row}", (Image.fromarray(pixels[row].copy()),), int(labels[row])) for row in rows
    )


def _original() -> Path | None:
    return places.find(_CIFAR_FOLDERS, [(file,) for files in _CIFAR_FILES.values() for file in files])


def _copy() -> Path | None:
    return places.find((_JPEG,), [("train",), ("test",)])
