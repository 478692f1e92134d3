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
"""Name of a corpus, such as "train", to its files by their ending, such as "en"."""

# ISO 639 with a region or script (en, deu, pt_BR, zho_Hans), and the endings of files that say source and target.
_LANGUAGE = re.compile(r"[a-z]{2,3}([_-][A-Za-z]{2,4})?|source|target|trg|input|output")
_NO_LANGUAGE = ("xml", "ids", "txt", "csv", "tsv", "md", "sgm", "zip", "tar", "tgz", "bz2", "log", "bin", "idx", "py")
_DIRECTED = (("source", "target"), ("src", "tgt"), ("src", "trg"), ("input", "output"))
_WORD = re.compile(r"[A-Za-z]+")


def located(text: str) -> tuple[tuple[Path, ...], str]:
    """Returns the absolute paths in `<file>+<file>[@digest]` or `<folder>[@digest]`, and the digest or "".

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
    """Returns "<file>+<file>@<digest>" or "<folder>@<digest>", given the same with or without a digest.

    The digest of a folder covers every file of a pair in it.

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
    """Returns whether a text is `<file>+<file>`, with a digest or without, and both are there."""
    return any(len(_existing(each)) == 2 for each in (text, text.rpartition("@")[0]))


def folder_of(paths: tuple[Path, ...]) -> Path:
    """Returns the folder that was named, the one that a named archive was unpacked to, or that of the first file.

    Raises:
        DataError: The archive cannot be unpacked safely.
    """
    if len(paths) > 1:
        return paths[0].parent
    return unpacked(paths[0]) if is_archive(paths[0]) else paths[0]


def stems_in(folder: Path) -> Stems:
    """Returns the files of a folder that differ only in a language as their ending."""
    found: dict[str, dict[str, Path]] = {}
    for file in sorted(folder.iterdir()):
        stem, _, ending = file.name.removesuffix(".gz").rpartition(".")
        if stem and is_language(ending) and not file.name.startswith(".") and file.is_file():
            # Sorted, so that an unpacked file goes before its own archive.
            found.setdefault(stem, {}).setdefault(ending, file)
    return {stem: by_ending for stem, by_ending in found.items() if len(by_ending) > 1}


def is_language(ending: str) -> bool:
    """Returns whether the ending of a file's name looks like a language, or says source or target."""
    return bool(_LANGUAGE.fullmatch(ending)) and ending not in _NO_LANGUAGE


def ending_of(file: Path) -> str:
    """Returns the last ending of a file's name, `.gz` aside."""
    return file.name.removesuffix(".gz").rpartition(".")[2]


def direction(stems: Stems, src: str, tgt: str, folder: Path) -> tuple[str, str]:
    """Returns the endings of the source and target files: those given, or the only ones that can be meant.

    Raises:
        DataError: There are no pairs, or the direction must be chosen.
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
    """Returns the pair of each split: the one given, or that of its name, or else of a name that begins so.

    Raises:
        DataError: Several pairs could be one split.
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
        DataError: There are several.
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
    """Returns a folder, an archive, or a source and a target file; none if there are no such."""
    whole = Path(text).expanduser()
    if text and (whole.is_dir() or (whole.is_file() and is_archive(whole))):
        return (absolute(whole),)
    # A path may itself hold a plus.
    for plus in re.finditer(r"\+", text):
        sides = [Path(side).expanduser() for side in (text[: plus.start()], text[plus.end() :])]
        if all(side.is_file() for side in sides):
            return tuple(map(absolute, sides))
    return ()
