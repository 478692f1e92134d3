"""`imagefolder:<path>`: your own images, one folder a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tlbench import Classes, DataError, Examples, SplitName, Task
from tlbench_data.drawing import check_seed, draw
from tlbench_data.images.image_folders import Labelled, class_folders, content_of, digest, examples_of, listed
from tlbench_data.own.archives import is_archive, unpacked
from tlbench_data.own.named_files import absolute

SCHEME = "imagefolder:"
SPLITS: Mapping[SplitName, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""What a folder of a split may be called."""
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


@dataclass(frozen=True)
class ImageFolder(Task):
    """Images in folders named by their classes, below folders named by splits or drawn into splits by a seed.

    Where there is a validation folder and none for the test, it is the test, and validation comes out of train.
    """

    name: str
    skip_unreadable: bool = False
    """Leave out, and count in a warning, images that cannot be read, instead of refusing them all."""
    split_seed: int = 0
    """Draws the splits of a folder that has none: 80/10/10, stratified, equal images on one side."""

    modality = "image"
    metrics = ("accuracy", "f1_macro")

    def __post_init__(self) -> None:
        check_seed(self.name, "split_seed", self.split_seed)

    @property
    def path(self) -> Path:
        """The folder, without the digest that pins it; an archive is unpacked into the cache first."""
        return _folder(Path(self.name.removeprefix(SCHEME).rpartition("@")[0]))

    @property
    def output(self) -> Classes:  # type: ignore[override]
        """The classes in alphabetical order: the folders' names, those of train where there are splits."""
        found = split_folders(self.path)
        return Classes(class_folders(self.path / found["train"] if found else self.path))

    @property
    def description(self) -> str:  # type: ignore[override]
        """What was found, in one line."""
        found = split_folders(self.path)
        splits = ", ".join(f"{split} from {folder}/" for split, folder in found.items())
        drawn = f"80/10/10 by seed {self.split_seed}, stratified"
        left_out = "; images that cannot be read are left out" if self.skip_unreadable else ""
        return f"Your images of {len(self.output.names)} classes; {splits or drawn}{left_out}"

    def split(self, name: SplitName) -> Examples | None:
        """Returns the images of a split, each read once to see that it can be.

        Raises:
            DataError: Images that cannot be read, a class that train does not have, an empty split, or one class
                alone to train on.
        """
        if name == "unlabeled":
            return None
        found = split_folders(self.path)
        if found and name not in found:
            return None
        files = listed(self.path / found[name], f"{name}/") if found else self._drawn(name)
        rows = examples_of(files, self.output.names, skip_unreadable=self.skip_unreadable)
        if not rows:
            raise DataError(f"{self.path}: no image is left for the {name} split")
        if name == "train" and len(left := {row.target for row in rows}) < 2:
            only = self.output.names[left.pop()]
            raise DataError(f"{self.path}: only the class {only!r} is left to train on; there must be two or more")
        return Examples(rows)

    def missing(self) -> str | None:
        """Returns that the folder is gone, if it is."""
        place = Path(self.name.removeprefix(SCHEME).rpartition("@")[0])
        return None if place.exists() else f"{place} is gone"

    def _drawn(self, name: SplitName) -> list[Labelled]:
        files = listed(self.path)
        contents = [content_of(file.path) for file in files]
        parts = draw(contents, [file.label for file in files], SHARES, self.split_seed)
        return [files[position] for position in parts[name]]


def resolve(text: str) -> ImageFolder:
    """Returns the task of `<path>[@digest]`, pinned to what the folder or archive holds now.

    Raises:
        DataError: No such folder, nothing in it that could be a class, a class that only the test has, or other
            content than the digest says.
    """
    place, said = _taken_apart(text)
    folder = _folder(place)
    found = split_folders(folder)
    files = [f for name in found.values() for f in listed(folder / name, f"{name}/")] if found else listed(folder)
    _check_classes(folder, found)
    content = digest(files)
    if said and said != content:
        raise DataError(f"{SCHEME}{text}: it holds {content} now; name it without @{said} to use that")
    return ImageFolder(f"{SCHEME}{place}@{content}")


def split_folders(folder: Path) -> dict[SplitName, str]:
    """Returns split to the name of its folder; empty where there is no folder for training and so no splits."""
    there = set(class_folders(folder))
    found: dict[SplitName, str] = {}
    for split, names in SPLITS.items():
        if name := next((name for name in names if name in there), None):
            found[split] = name
    if "train" not in found or len(found) == 1:
        return {}
    if "test" not in found:
        found["test"] = found.pop("validation")
    return found


def _folder(place: Path) -> Path:
    if not is_archive(place):
        return place
    return _unpacked(place, place.stat().st_size, place.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _unpacked(archive: Path, size: int, changed: int) -> Path:
    return unpacked(archive)


def _check_classes(folder: Path, found: Mapping[SplitName, str]) -> None:
    known = class_folders(folder / found["train"]) if found else class_folders(folder)
    if len(known) < 2:
        raise DataError(f"{folder}: only the class {known[0]!r}; there must be two or more to tell apart")
    for name in found.values():
        unknown = sorted(set(class_folders(folder / name)) - set(known))
        if unknown:
            raise DataError(f"{folder / name}: the class {unknown[0]!r} is not in {found['train']}/")


def _taken_apart(text: str) -> tuple[Path, str]:
    whole = Path(text).expanduser()
    if text and (whole.is_dir() or (whole.is_file() and is_archive(whole))):
        return absolute(whole), ""
    path, at, said = text.rpartition("@")
    if at and path:
        return _taken_apart(path)[0], said
    if whole.is_file():
        raise DataError(f"{SCHEME}{text}: a file; give a folder of folders of images, or an archive of one")
    raise DataError(f"{SCHEME}{text}: no such folder")
