"""Finds pairs of aligned text files, such as train.en and train.de, in a folder or in the name of a task."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import permutations
from pathlib import Path
from typing import TypeAlias

from tlbench import DataError, UsageError
from tlbench_data.own.archives import is_archive, unpacked
from tlbench_data.own.named_files import absolute, digest
from tlbench_data.readers.rows import listed
from tlbench_data.split_names import NAMES, named_splits, split_of

Pair: TypeAlias = tuple[Path, Path]
Stems: TypeAlias = Mapping[str, Mapping[str, Path]]
"""Maps a file name without its ending, such as "train", to the files of that name by ending, such as "en"."""

# ISO 639 codes, with a region or script or without (en, deu, pt_BR, zho_Hans), and endings that mean source or target.
_LANGUAGE = re.compile(r"[a-z]{2,3}([_-][A-Za-z]{2,4})?|source|target|trg|input|output")
_NO_LANGUAGE = ("xml", "ids", "txt", "csv", "tsv", "md", "sgm", "zip", "tar", "tgz", "bz2", "log", "bin", "idx", "py")
_DIRECTED = (("source", "target"), ("src", "tgt"), ("src", "trg"), ("input", "output"))
_WORD = re.compile(r"[A-Za-z]+")


def located(text: str) -> tuple[tuple[Path, ...], str]:
    """Splits `<file>+<file>[@digest]` or `<folder>[@digest]` into the absolute paths and the digest or "".

    Raises:
        UsageError: There are no such files.
    """
    if paths := _existing(text):
        return paths, ""
    before, at, given = text.rpartition("@")
    if at and (paths := _existing(before)):
        return paths, given
    if Path(text).expanduser().is_file() or Path(before).expanduser().is_file():
        raise UsageError(f"parallel:{text}: one file; give source and target, as parallel:train.en+train.de")
    raise UsageError(f"parallel:{text}: no such files or folder; give source+target, as train.en+train.de, or a folder")


def pinned(text: str) -> str:
    """Returns the text with the digest of the present content: "<file>+<file>@<digest>" or "<folder>@<digest>".

    The text may have a digest already. The digest of a folder covers every file in it that is part of a pair.

    Raises:
        UsageError: There are no such files, or their content does not match the digest.
    """
    paths, given = located(text)
    files = list(paths)
    if len({file.resolve() for file in files}) < len(files):
        raise UsageError(f"parallel:{text}: source and target are one file")
    if len(paths) == 1:
        files = [file for by_ending in stems_in(folder_of(paths)).values() for file in by_ending.values()]
    current = digest(files)
    if given and given != current:
        raise UsageError(f"parallel:{text}: its digest is now {current}; drop @{given} to use it as it is")
    return f"{'+'.join(map(str, paths))}@{current}"


def is_pair(text: str) -> bool:
    """Returns whether a text is `<file>+<file>`, with or without a digest, and both files exist."""
    return any(len(_existing(each)) == 2 for each in (text, text.rpartition("@")[0]))


def folder_of(paths: tuple[Path, ...]) -> Path:
    """Returns the folder of a task's files: the path itself, the folder an archive is unpacked to, or the first file's.

    Raises:
        DataError: The archive cannot be unpacked safely.
    """
    if len(paths) > 1:
        return paths[0].parent
    return unpacked(paths[0]) if is_archive(paths[0]) else paths[0]


def stems_in(folder: Path) -> Stems:
    """Returns the files with a language as ending, grouped by the rest of their name; groups have two files or more."""
    found: dict[str, dict[str, Path]] = {}
    for file in sorted(folder.iterdir()):
        stem, _, ending = file.name.removesuffix(".gz").rpartition(".")
        if stem and is_language(ending) and not file.name.startswith(".") and file.is_file():
            # Sorted, so that an unpacked file is preferred to its .gz copy.
            found.setdefault(stem, {}).setdefault(ending, file)
    return {stem: by_ending for stem, by_ending in found.items() if len(by_ending) > 1}


def is_language(ending: str) -> bool:
    """Returns whether the ending of a file's name looks like a language code, or means source or target."""
    return bool(_LANGUAGE.fullmatch(ending)) and ending not in _NO_LANGUAGE


def ending_of(file: Path) -> str:
    """Returns the last ending of a file's name, ignoring `.gz`."""
    return file.name.removesuffix(".gz").rpartition(".")[2]


def direction(stems: Stems, src: str, tgt: str, folder: Path) -> tuple[str, str]:
    """Returns the endings of the source and target files: those given, a usual direction, or the only one possible.

    Raises:
        DataError: There are no pairs, or several directions are possible and none is given.
    """
    endings = sorted({ending for by_ending in stems.values() for ending in by_ending})
    if not endings:
        there = sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))
        raise DataError(f"{folder}: no two files such as train.en and train.de; there is {listed(there)}")
    if unknown := [each for each in (src, tgt) if each and each not in endings]:
        raise DataError(f"{folder}: no pair of files ends in .{unknown[0]}; there is {listed(endings)}")
    readings = [
        (one, two)
        for one, two in permutations(endings, 2)
        if src in ("", one) and tgt in ("", two) and any(one in files and two in files for files in stems.values())
    ]
    if not readings:
        raise DataError(f"{folder}: no pair of files ends in .{src} and .{tgt}; there is {listed(endings)}")
    for pair in _DIRECTED:
        if pair in readings:
            return pair
    if len(readings) > 1:
        choices = " or ".join(f"[src={one},tgt={two}]" for one, two in readings[:2])
        raise DataError(f"{folder}: files end in {listed(endings)}: choose the direction, as {choices}")
    return readings[0]


def pairs_of_splits(stems: Stems, src: str, tgt: str, folder: Path, given: Mapping[str, Pair]) -> dict[str, Pair]:
    """Returns each split's pair of files: the given one, or that named like the split, or whose name begins like it.

    Raises:
        DataError: Several pairs are named like one split.
    """
    pairs = {stem: (files[src], files[tgt]) for stem, files in stems.items() if src in files and tgt in files}
    found = dict(given)
    for split, spellings in named_splits(pairs).items():
        if split not in given:
            _refuse_several(folder, split, spellings)
            found[split] = pairs[spellings[0]]
    for split in NAMES:
        if split not in found:
            begun = [stem for stem in pairs if (word := _WORD.match(stem)) and split_of(word[0]) == split]
            _refuse_several(folder, split, begun)
            if begun:
                found[split] = pairs[begun[0]]
    return {split: found[split] for split in NAMES if split in found}


def only_pair(stems: Stems, src: str, tgt: str, folder: Path) -> Pair:
    """Returns the only pair of a folder without splits.

    Raises:
        DataError: There are several pairs, or none.
    """
    names = [stem for stem, files in stems.items() if src in files and tgt in files]
    if len(names) > 1:
        raise DataError(f"{folder}: pairs are called {listed(names)}; say which are splits, as [train=...,test=...]")
    if not names:
        raise DataError(f"{folder}: no two files of one name end in .{src} and .{tgt}; there is {listed(list(stems))}")
    return stems[names[0]][src], stems[names[0]][tgt]


def _refuse_several(folder: Path, split: str, names: Iterable[str]) -> None:
    several = list(names)
    if len(several) > 1:
        raise DataError(
            f"{folder}: {' and '.join(several)} are named like the {split} split; choose one, as [{split}={several[0]}]"
        )


def _existing(text: str) -> tuple[Path, ...]:
    """Returns the path of a folder or archive, or of a source and a target file; () if they do not exist."""
    whole = Path(text).expanduser()
    if text and (whole.is_dir() or (whole.is_file() and is_archive(whole))):
        return (absolute(whole),)
    # Every plus is tried, since a path may itself contain one.
    for plus in re.finditer(r"\+", text):
        sides = [Path(side).expanduser() for side in (text[: plus.start()], text[plus.end() :])]
        if all(side.is_file() for side in sides):
            return tuple(map(absolute, sides))
    return ()
