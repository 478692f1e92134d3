"""The files that a leaderboard is written to, and the formats that their suffixes choose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tlbench.cli.options import out_folder
from tlbench.contracts.errors import UnknownName, UsageError
from tlbench.contracts.renderer import Renderer
from tlbench.results.reading.default_folder import expanded
from tlbench.system.output_paths import check_output_file

SUFFIXES = {"md": "markdown", "tex": "latex"}
"""Formats by the suffix of their files, where the suffix is not the name of the format."""
_OWN = ("records", "work", "models", "find")
"""Folders that a folder of results has."""


def folder_and_files(paths: Sequence[Path], format_: str | None) -> tuple[Path, tuple[Path, ...]]:
    """Sorts the paths of `--out` into the folder of results and the files to write, each in the format of its suffix.

    Raises:
        UsageError: There are two folders, a file has an unknown suffix, cannot be written or belongs to the results, or
            there is also a format.
    """
    paths = [expanded(path) for path in paths]
    files = tuple(path for path in paths if path.suffix and not path.is_dir())
    folders = [path for path in paths if path not in files]
    if len(folders) > 1:
        raise UsageError(f"--out: {folders[0]} and {folders[1]} are two folders of results: give one")
    folder = out_folder(folders[0] if folders else None)
    if files and format_ is not None:
        raise UsageError(f"--format {format_} and the suffix of --out {files[0]} both choose a format: give one")
    for file in files:
        try:
            renderer_of(format_of(file))
        except UnknownName as error:
            known = ", ".join(sorted({f".{suffix}" for suffix in (*SUFFIXES, "csv", "json", "svg")}))
            raise UsageError(
                f"--out {file}: neither a folder of results nor a file of a known format ({known}, or a plugin's)"
            ) from error
        check_output_file(file, "--out")
        is_json_beside = file.resolve().parent == folder.resolve() and file.suffix == ".json"
        if is_json_beside or _is_of_results(file.parent, folder):
            raise UsageError(f"--out {file}: this folder has the results themselves; write somewhere else")
    return folder, files


def check_report_folder(to: Path, folder: Path) -> None:
    """Checks that a report does not go among the files of a folder of results.

    Raises:
        UsageError: It would.
    """
    if _is_of_results(to, folder):
        raise UsageError(f"--to {to}: this folder has the results themselves; write somewhere else")


def _is_of_results(path: Path, folder: Path) -> bool:
    """Returns whether a folder is one of those in a folder of results that have the results themselves."""
    inside, root = path.resolve(), folder.resolve()
    return bool({root / name for name in _OWN} & {inside, *inside.parents})


def format_of(file: Path) -> str:
    """Returns the name of the format that a file's suffix chooses."""
    suffix = file.suffix.removeprefix(".").lower()
    return SUFFIXES.get(suffix, suffix)


def renderer_of(name: str) -> tuple[Renderer, str]:
    """Returns the renderer of a format and its distribution; plugins are discovered only if it is not built in."""
    from tlbench.results.render.formats import FORMATS

    if name in FORMATS:
        return FORMATS[name], "tlbench"
    from tlbench.catalog.catalog import Catalog

    entry = Catalog.discover().renderer(name)
    return entry.item, f"{entry.distribution} {entry.version}".strip()
