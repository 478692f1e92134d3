"""The distributions of this repository, read from their pyproject.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Distribution:
    """One distribution: the core or a plugin."""

    folder: Path
    project: dict[str, Any]
    """The table `[project]`."""

    @property
    def name(self) -> str:
        """The name on the package index."""
        return str(self.project["name"])

    @property
    def version(self) -> str:
        """The version."""
        return str(self.project["version"])

    @property
    def requirements(self) -> list[str]:
        """All requirements, with those of extras."""
        extras = self.project.get("optional-dependencies", {}).values()
        return [*self.project.get("dependencies", ()), *(one for extra in extras for one in extra)]


def distributions(root: Path = ROOT) -> list[Distribution]:
    """Returns the core and then the plugins, by name."""
    files = [root / "pyproject.toml", *sorted(root.glob("plugins/*/pyproject.toml"))]
    return [Distribution(file.parent, tomllib.loads(file.read_text(encoding="utf-8"))["project"]) for file in files]


def compatible(version: str) -> str:
    """Returns the range of versions that work together: of one minor version before 1.0, else of one major version."""
    major, minor, *_ = (int(part) for part in version.split("."))
    return f">={major}.{minor},<{major}.{minor + 1}" if major == 0 else f">={major}.{minor},<{major + 1}"
