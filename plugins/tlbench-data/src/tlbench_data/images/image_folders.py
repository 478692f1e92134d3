"""Lists the image files in class folders, and counts the other files and folders by the reason they are left out."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tlbench import DataError, ImageFile
from tlbench.contracts.untrusted.regular_files import links_inside
from tlbench_data.division.time_order import Time
from tlbench_data.own.archives import MACOS_FOLDER

_SYSTEM_FOLDERS = frozenset(
    (MACOS_FOLDER.lower(), "@eadir", "$recycle.bin", "system volume information", "lost+found", "__pycache__")
)
"""Names, in lower case, of folders that operating systems and network drives create and that hold no data."""
_LONGEST_SUFFIX = 10
LINKS_OUT = "links out of the folder, which follow_links=true reads"
"""The reason for which links out of a data set's folder are left out."""


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """An image file with its class, its id within the data set, its group and its time."""

    path: Path
    label: str
    id: str
    group: str = ""
    """Name of the group that the image belongs to, such as a patient; read from a table, "" without one."""
    time: Time | None = None
    """When the image was taken; read from a table, None without one."""


@dataclass
class Walk:
    """Finds image files below folders of one data set, and counts what it leaves out."""

    root: Path
    """The data set's folder; links to it, or to a folder above or below it, are not followed: they lead back to it."""
    follow_links: bool = True
    """Whether links out of the data set's folder are followed; if not, they are counted in `left_out`."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Maps a reason, such as ".heic" or "hidden files", to the number of files or folders left out for it."""
    _followed: list[Path] = field(default_factory=list)

    def images(self, folder: Path) -> Iterator[Path]:
        """Yields the image files in a folder and its subfolders; a linked folder is followed once.

        Raises:
            DataError: A folder cannot be read.
        """
        for entry in _entries(folder):
            path = folder / entry.name
            if entry.is_dir():
                reason = self._skipped(entry, path)
                if reason:
                    self.left_out[reason] += 1
                else:
                    yield from self.images(path)
            elif self.is_image(entry):
                yield path

    def is_image(self, entry: os.DirEntry[str]) -> bool:
        """Returns whether an entry other than a folder has an image suffix; if not, counts it in `left_out`."""
        suffix = Path(entry.name).suffix.lower()
        if is_hidden(entry.name):
            self.left_out["hidden files"] += 1
        elif self.leads_out(self.root.joinpath(entry.path)) and entry.is_file():
            self.left_out[LINKS_OUT] += 1
        elif not entry.is_file():
            self.left_out["broken links" if entry.is_symlink() else "special files"] += 1
        elif suffix not in ImageFile.suffixes:
            is_usual = suffix[1:].isalnum() and len(suffix) <= _LONGEST_SUFFIX
            self.left_out[suffix if is_usual else "other files" if suffix else "files without a suffix"] += 1
        else:
            return True
        return False

    def leads_out(self, path: Path) -> bool:
        """Returns whether a path is a link out of the data set's folder that is not followed."""
        if self.follow_links or not path.is_symlink():
            return False
        return not path.resolve().is_relative_to(links_inside(self.root).resolve())

    def _skipped(self, entry: os.DirEntry[str], path: Path) -> str:
        """Returns why a folder is left out, or ""."""
        if is_hidden(entry.name):
            return "hidden folders"
        if path.suffix.lower() in ImageFile.suffixes:
            return "folders named like images"
        if self.leads_out(path):
            return LINKS_OUT
        if entry.is_symlink():
            real = path.resolve()
            for known in (self.root.resolve(), *self._followed):
                if real.is_relative_to(known) or known.is_relative_to(real):
                    return "links to folders that are read anyway"
            self._followed.append(real)
        return ""


def subfolders(folder: Path) -> tuple[str, ...]:
    """Returns the names of the subfolders in alphabetical order, without hidden ones."""
    return tuple(entry.name for entry in _entries(folder) if entry.is_dir() and not is_hidden(entry.name))


def class_of(folder_name: str) -> str:
    """Returns the class name of a folder: its name in composed Unicode form (NFC).

    macOS stores accents in decomposed form, so that "café" can occur in two forms, which must be one class.
    """
    return unicodedata.normalize("NFC", folder_name)


def in_class_folders(folder: Path, walk: Walk, prefix: str = "") -> list[LabelledFile]:
    """Returns the image files of every class folder, nested ones included, sorted by class and path.

    Files that are left out, including images beside the class folders, are counted in `walk`.

    Raises:
        DataError: A folder cannot be read.
    """
    files: list[LabelledFile] = []
    for label in subfolders(folder):
        if walk.leads_out(folder / label):
            walk.left_out[LINKS_OUT] += 1
            continue
        paths = sorted(walk.images(folder / label))
        files += [
            LabelledFile(path, class_of(label), f"{prefix}{path.relative_to(folder).as_posix()}") for path in paths
        ]
    for entry in _entries(folder):
        if entry.is_dir():
            walk.left_out["hidden folders"] += is_hidden(entry.name)
        elif walk.is_image(entry):
            walk.left_out["images beside the class folders"] += 1
    # Unary plus removes reasons whose count is 0.
    walk.left_out = +walk.left_out
    return files


def list_images(folder: Path, prefix: str = "") -> list[LabelledFile]:
    """Returns the image files of every class folder, as `in_class_folders` does.

    Raises:
        DataError: There is no class folder, or one without images.
    """
    files = in_class_folders(folder, Walk(folder), prefix)
    classes = subfolders(folder)
    if not classes:
        raise DataError(f"{folder}: contains no folders; make one for each class, with its images in it")
    for name in classes:
        if class_of(name) not in {file.label for file in files}:
            raise no_image_in(folder / name)
    return files


def no_image_in(folder: Path) -> DataError:
    """Returns the error to raise for a class folder without images."""
    return DataError(f"{folder}: contains no image ({', '.join(sorted(ImageFile.suffixes))})")


def is_hidden(name: str) -> bool:
    """Returns whether a name begins with a point, or is that of a system folder such as __MACOSX or $RECYCLE.BIN."""
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}") from error
