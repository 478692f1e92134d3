"""Writes the map in docs/tour.md: each module with the first line of its docstring. With --check, fails if outdated."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOUR = Path("docs/tour.md")
START = "<!-- The map is made by `python tools/tour_map.py`; edit the modules' docstrings, not the lines below. -->"


def packages(root: Path) -> list[Path]:
    """Returns the packages of the core, in the order of its layers, and then those of the plugins."""
    core = root / "src" / "tlbench"
    layers = (
        "cli", "testing", "running", "planning", "results", "catalog", "training", "modeling", "metrics", "system",
        "data", "contracts",
    )  # fmt: skip
    # Top layer first, as in the contract of import-linter.
    order = {name: place for place, name in enumerate(layers)}
    folders = [path.parent for path in core.rglob("__init__.py") if path.parent != core]
    folders.sort(key=lambda folder: (order.get(folder.relative_to(core).parts[0], -1), folder))
    return [core, *folders, *sorted(path.parent for path in root.glob("plugins/*/src/**/__init__.py"))]


def first_line(path: Path) -> str:
    """Returns the first line of a module's docstring without its full stop, or an empty text."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].strip().removesuffix(".")


def tour_map(root: Path) -> str:
    """Returns the map in Markdown."""
    lines = []
    for folder in packages(root):
        relative = folder.relative_to(root)
        lines += ["", f"### `{relative.as_posix()}/`", "", f"{first_line(folder / '__init__.py')}.", ""]
        for path in sorted(folder.glob("*.py")):
            if path.name != "__init__.py":
                lines.append(f"- [{path.name}](../{path.relative_to(root).as_posix()}): {first_line(path)}.")
    return "\n".join(lines) + "\n"


def with_map(tour: str, root: Path) -> str:
    """Returns the tour with a new map below the marker.

    Raises:
        ValueError: The tour has no marker.
    """
    head, marker, _ = tour.partition(START)
    if not marker:
        raise ValueError(f"{TOUR} lacks the line {START}")
    return f"{head}{START}\n{tour_map(root)}"


def main(arguments: list[str]) -> int:
    """Writes the map or, with --check, compares it; returns the exit status."""
    path = ROOT / TOUR
    tour = path.read_text(encoding="utf-8")
    updated = with_map(tour, ROOT)
    if "--check" in arguments:
        is_current = updated == tour
        print(
            "The map in docs/tour.md is up to date." if is_current else "The map in docs/tour.md is outdated: make tour"
        )
        return int(not is_current)
    path.write_text(updated, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
