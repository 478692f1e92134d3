"""`imagefolder:<path>`: a task made of your own images, one folder per class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tlbench import Classes, DataError, Examples, SplitName, Task
from tlbench_data.drawing import check_seed, draw
from tlbench_data.images.image_folders import LabelledFile, class_folders, content_of, digest, examples_of, list_images
from tlbench_data.own.archives import is_archive, unpacked
from tlbench_data.own.named_files import absolute

SCHEME = "imagefolder:"
SPLITS: Mapping[SplitName, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
"""The folder names that each split may have."""
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


@dataclass(frozen=True)
class ImageFolder(Task):
    """Images in one folder per class, inside split folders, or split with a seed if there are none.

    If there is a validation folder but no test folder, it becomes the test split, and validation is carved from train.
    """

    name: str
    skip_unreadable: bool = False
    """Skip images that cannot be decoded, and log how many, instead of raising."""
    split_seed: int = 0
    """Seed of the stratified 80/10/10 split of a folder without splits; equal images stay in one split."""

    modality = "image"
    metrics = ("accuracy", "f1_macro")

    def __post_init__(self) -> None:
        check_seed(self.name, "split_seed", self.split_seed)

    @property
    def path(self) -> Path:
        """The folder without its digest; an archive is unpacked into the cache first."""
        return _folder(Path(self.name.removeprefix(SCHEME).rpartition("@")[0]))

    @property
    def output(self) -> Classes:  # type: ignore[override]
        """The classes: folder names in alphabetical order, those of train where there are splits."""
        folders = split_folders(self.path)
        return Classes(class_folders(self.path / folders["train"] if folders else self.path))

    @property
    def description(self) -> str:  # type: ignore[override]
        """One line on classes and splits."""
        folders = split_folders(self.path)
        splits = ", ".join(f"{split} from {folder}/" for split, folder in folders.items())
        drawn = f"80/10/10 by seed {self.split_seed}, stratified"
        left_out = "; images that cannot be read are left out" if self.skip_unreadable else ""
        return f"Your images of {len(self.output.names)} classes; {splits or drawn}{left_out}"

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a split, each image decoded once to check it.

        Raises:
            DataError: An image cannot be decoded, a class is not in train, or a split is empty or has one class only.
        """
        if name == "unlabeled":
            return None
        folders = split_folders(self.path)
        if folders and name not in folders:
            return None
        files = list_images(self.path / folders[name], f"{name}/") if folders else self._drawn(name)
        rows = examples_of(files, self.output.names, skip_unreadable=self.skip_unreadable)
        if not rows:
            raise DataError(f"{self.path}: no image is left for the {name} split")
        if name == "train" and len(classes := {row.target for row in rows}) < 2:
            only = self.output.names[classes.pop()]
            raise DataError(f"{self.path}: only the class {only!r} is left to train on; add images of another class")
        return Examples(rows)

    def missing(self) -> str | None:
        """Returns that the folder no longer exists, or None."""
        path = Path(self.name.removeprefix(SCHEME).rpartition("@")[0])
        # Not `self.path`, which would unpack an archive.
        return None if path.exists() else f"{path} does not exist any more"

    def _drawn(self, name: SplitName) -> list[LabelledFile]:
        files = list_images(self.path)
        contents = [content_of(file.path) for file in files]
        # Keyed by content: copies of an image under two names stay in one split.
        parts = draw(contents, [file.label for file in files], SHARES, self.split_seed)
        return [files[position] for position in parts[name]]


def resolve(text: str) -> ImageFolder:
    """Returns the task of `<path>[@digest]`, pinned to the present content.

    Raises:
        DataError: The folder is missing or has no classes, a class is in test only, or the digest does not match.
    """
    path, given = _path_and_digest(text)
    folder = _folder(path)
    splits = split_folders(folder)
    files = (
        [f for name in splits.values() for f in list_images(folder / name, f"{name}/")]
        if splits
        else list_images(folder)
    )
    _check_classes(folder, splits)
    current = digest(files)
    if given and given != current:
        raise DataError(f"{SCHEME}{text}: its digest is now {current}; drop @{given} to use it as it is")
    return ImageFolder(f"{SCHEME}{path}@{current}")


def split_folders(folder: Path) -> dict[SplitName, str]:
    """Returns the folder name of each split; empty without a training folder, where splits are drawn."""
    existing = set(class_folders(folder))
    folders: dict[SplitName, str] = {}
    for split, names in SPLITS.items():
        if name := next((name for name in names if name in existing), None):
            folders[split] = name
    # A class may be called "train" or "test" itself: one such folder alone is taken for a class.
    if "train" not in folders or len(folders) == 1:
        return {}
    if "test" not in folders:
        # A test split is needed for a score, and validation can be carved from train.
        folders["test"] = folders.pop("validation")
    return folders


def _folder(path: Path) -> Path:
    if not is_archive(path):
        return path
    # Size and modification time are the key: hashing the archive again on every access would take seconds.
    return _unpack_once(path, path.stat().st_size, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _unpack_once(archive: Path, size: int, changed: int) -> Path:
    return unpacked(archive)


def _check_classes(folder: Path, splits: Mapping[SplitName, str]) -> None:
    known = class_folders(folder / splits["train"]) if splits else class_folders(folder)
    if len(known) < 2:
        raise DataError(f"{folder}: only the class {known[0]!r}; there must be at least two classes")
    for name in splits.values():
        unknown = sorted(set(class_folders(folder / name)) - set(known))
        if unknown:
            raise DataError(f"{folder / name}: the class {unknown[0]!r} is not in {splits['train']}/")


def _path_and_digest(text: str) -> tuple[Path, str]:
    """Returns the absolute path and the digest, or "", of `<path>[@digest]`."""
    # The whole text first: a folder's name may itself contain an @.
    whole = Path(text).expanduser()
    if text and (whole.is_dir() or (whole.is_file() and is_archive(whole))):
        return absolute(whole), ""
    path, at, digest = text.rpartition("@")
    if at and path:
        return _path_and_digest(path)[0], digest
    if whole.is_file():
        raise DataError(
            f"{SCHEME}{text}: this is a file; give a folder with one folder of images per class, or an archive of it"
        )
    raise DataError(f"{SCHEME}{text}: no such folder")
