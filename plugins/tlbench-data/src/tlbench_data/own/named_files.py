"""Finds the files that a task's name refers to, and pins them by a digest of their content."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

from tlbench import DataError, UsageError
from tlbench.contracts.untrusted.regular_files import links_inside, open_regular, reason_of
from tlbench_data.own.archives import is_archive, unpacked
from tlbench_data.own.other_sources import images_hint, tables_hint
from tlbench_data.readers.rows import listed
from tlbench_data.split_names import named_splits, split_of

SUFFIXES: dict[str, tuple[str, ...]] = {
    "csv": (".csv", ".csv.gz"),
    "tsv": (".tsv", ".tsv.gz"),
    "jsonl": (".jsonl", ".jsonl.gz", ".json"),
    "parquet": (".parquet",),
    "conll": (".conll", ".bio", ".iob", ".txt"),
    "squad": (".json",),
}
"""Maps each scheme to the file suffixes by which splits are found in a folder."""
OTHER_SUFFIXES: dict[str, tuple[str, ...]] = {
    "conll": (".tsv", ".conllu", ".iob2"),
    "squad": (".jsonl", ".jsonl.gz", ".parquet"),
}
"""Further suffixes, used only if no split has a usual suffix, so that copies in two formats are not mixed."""
_PIN = re.compile(r"@[0-9a-f]{12}$")
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})$")


def pin(scheme: str, text: str) -> str:
    """Returns "<absolute path>@<digest>" for the path of a file or folder, which may have a digest already.

    A folder's digest covers the files named like splits; a folder without such files is not pinned.

    Raises:
        UsageError: The path does not exist, or its content does not match the digest.
    """
    path, given = _path_and_digest(text)
    if path is None:
        raise UsageError(f"{scheme}:{text}: no such file or folder")
    files = [file for files in split_files(scheme, path).values() for file in files] if path.is_dir() else [path]
    current = digest(files)
    if given and (current != given or not files):
        raise UsageError(f"{scheme}:{text}: its digest is now {current}; drop @{given} to use it as it is")
    # A folder without split files has nothing to pin; the task then raises an error that names the missing files.
    return f"{path}@{current}" if files else str(path)


def pinned_path(text: str) -> Path:
    """Returns the path in a text "<path>@<digest>" from `pin`; for an archive, its unpacked folder.

    Raises:
        DataError: The archive cannot be unpacked safely.
    """
    path = unpinned(text)
    return unpacked(path) if is_archive(path) else path


def unpinned(text: str) -> Path:
    """Returns the path in a result of `pin`; an archive is not unpacked."""
    return Path(_PIN.sub("", text))


def only_table(scheme: str, archive: Path, folder: Path) -> Path:
    """Returns the only table of an archive without split files, given the folder that it was unpacked to.

    Raises:
        DataError: The archive has no table of the scheme, or several.
    """
    files = sorted(
        file
        for file in folder.rglob("*")
        if _stem(file, SUFFIXES[scheme]) and file.is_file() and not file.name.startswith(".")
    )
    if not files:
        raise DataError(f"{archive}: it has no file that ends in {', '.join(SUFFIXES[scheme])}")
    if len(files) > 1:
        names = listed([file.relative_to(folder).as_posix() for file in files])
        raise DataError(
            f"{archive}: it has {len(files)} tables: {names}; say which are splits, as [train=...,test=...]"
        )
    return files[0]


def beside(folder: Path, text: str) -> str:
    """Returns the path of a file given as a parameter, relative to `folder` if it exists there, else as given."""
    path, _ = _path_and_digest(str(folder / Path(text).expanduser()))
    return str(folder / Path(text).expanduser()) if path else text


def absolute(path: Path) -> Path:
    """Returns the absolute path with links resolved, except that a file keeps its own name.

    A linked file's suffix tells its format, and the hub cache links to files that are named by digests.
    """
    return path.resolve() if path.is_dir() else path.parent.resolve() / path.name


def split_files(scheme: str, folder: Path) -> dict[str, list[Path]]:
    """Returns the files of a folder that are named like splits; several for a split in numbered shards.

    Raises:
        UsageError: A split has two files, such as Train.csv and train.csv, or lacks some of its shards.
    """
    usual = _files_of(folder, SUFFIXES[scheme])
    return usual or _files_of(folder, OTHER_SUFFIXES.get(scheme, ()))


def unfit_folder(scheme: str, folder: Path, split: str) -> str:
    """Returns the error message for a folder without a file for `split`: names that would fit, and those present."""
    suffixes = (*SUFFIXES[scheme], *OTHER_SUFFIXES.get(scheme, ()))
    there = sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))
    are = "is" if len(there) == 1 else "are"
    message = f"no file is called {split}.* ({scheme}: reads {', '.join(suffixes)}); there {are} {listed(there)}"
    tables = sorted(file.name for file in folder.iterdir() if _stem(file, suffixes))
    hint = images_hint(folder)
    if not tables and (hint := hint or tables_hint(folder)):
        return f"there is no file that {scheme}: reads ({', '.join(suffixes)}), but {hint}"
    advice = f"{message}; give one, as [{'train=...,test=...' if split == 'train' else 'test=...'}]"
    return f"{advice}; there are {hint}, with [labels={tables[0]}] if that has their labels" if hint else advice


def _files_of(folder: Path, suffixes: tuple[str, ...]) -> dict[str, list[Path]]:
    files_of: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        if (stem := _stem(file, suffixes)) and file.is_file():
            _refuse_link_out(file, folder, stem)
            files_of.setdefault(_SHARD.sub("", stem), []).append(file)
    splits: dict[str, list[Path]] = {}
    for split, spellings in named_splits(files_of).items():
        if len(spellings) > 1:
            given = " and ".join(files_of[spelling][0].name for spelling in spellings)
            raise UsageError(f"{folder}: {given} are both named like the {split} split; remove or rename one")
        splits[split] = files_of[spellings[0]]
        _check_shards(split, splits[split], suffixes)
    return splits


def _refuse_link_out(file: Path, folder: Path, stem: str) -> None:
    """Refuses a split's file that is a link out of its folder: a folder from somebody else could have any file read.

    Raises:
        UsageError: The file is such a link.
    """
    split = split_of(_SHARD.sub("", stem))
    if split and file.is_symlink() and not file.resolve().is_relative_to(links_inside(folder).resolve()):
        raise UsageError(f"{file}: it is a link that leads out of the folder; name its file, as [{split}=...]")


def _check_shards(split: str, files: Sequence[Path], suffixes: Sequence[str]) -> None:
    """Refuses several files of one split unless they are all of its numbered shards.

    Raises:
        UsageError: The files are no shards, or some shards are missing.
    """
    numbers = [match.groups() if (match := _SHARD.search(_stem(file, suffixes))) else None for file in files]
    if len(files) == 1 and numbers == [None]:
        return
    totals = {number[1] for number in numbers if number}
    if None in numbers or len(totals) > 1 or len(set(numbers)) < len(numbers):
        given = " and ".join(file.name for file in files[:2])
        raise UsageError(f"{files[0].parent}: {given} would both be of the {split} split; remove or rename one")
    if len(files) != int(next(iter(totals))):
        raise UsageError(
            f"{files[0].parent}: only {len(files)} of the {int(next(iter(totals)))} shards of the {split} split are "
            f"there, such as {files[0].name}; complete them, or rename those that are there"
        )


def unread_splits(scheme: str, folder: Path, used: Collection[Path]) -> str:
    """Returns a note on files of a folder that are named like splits but are not in `used`; "" if there are none."""
    suffixes = (*SUFFIXES[scheme], *OTHER_SUFFIXES.get(scheme, ()))
    stems = {file: _SHARD.sub("", _stem(file, suffixes)) for file in sorted(folder.iterdir()) if file.is_file()}
    names = [file.name for file, stem in stems.items() if split_of(stem) and file.resolve() not in used]
    return f"not read: {listed(names)}" if names else ""


def digest(files: Sequence[Path]) -> str:
    """Returns twelve hex digits of a digest of the files' names and contents.

    Raises:
        UsageError: A file cannot be read.
    """
    try:
        stats = [(file, file.stat()) for file in files]
        return _digest(tuple((str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats))
    except OSError as error:
        raise UsageError(f"{error.filename}: {reason_of(error)}") from None


def _path_and_digest(text: str) -> tuple[Path | None, str]:
    """Splits `<path>[@digest]` into absolute path (None if nothing exists there) and digest ("" if absent)."""
    # The whole text is tried as a path first, since a file's name may itself contain an @.
    whole = Path(text).expanduser()
    if text and whole.exists():
        return absolute(whole), ""
    path, at, digest = text.rpartition("@")
    if at and path and Path(path).expanduser().exists():
        return absolute(Path(path).expanduser()), digest
    return None, ""


def _stem(file: Path, suffixes: Sequence[str]) -> str:
    """Returns the file's name without its suffix; "" if it ends with none of `suffixes`."""
    # Case is ignored, because files from Windows may be called Train.CSV.
    suffix = next((suffix for suffix in suffixes if file.name.lower().endswith(suffix)), "")
    return file.name[: -len(suffix)] if suffix else ""


# Sizes and modification times in `files` only serve as the cache key.
@lru_cache(maxsize=64)
def _digest(files: tuple[tuple[str, int, int], ...]) -> str:
    sha256 = hashlib.sha256()
    for name, _, _ in files:
        with open_regular(Path(name), links="followed") as file:
            # Hashes the file's name without its folder, so that a moved folder keeps its digest.
            sha256.update(f"{Path(name).name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return sha256.hexdigest()[:12]
