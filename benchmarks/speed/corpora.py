"""The same rows for both sides: subsets of GLUE's files, drawn by a fixed seed. Needs the standard library alone."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SEED = 20

Raw = tuple[tuple[str, ...], int]


class Labelled(NamedTuple):
    """One example."""

    id: str
    texts: tuple[str, ...]
    label: int


@dataclass(frozen=True)
class Splits:
    """What both sides see. Nobody chooses anything by the test part."""

    train: list[Labelled]
    validation: list[Labelled]
    test: list[Labelled]


@dataclass(frozen=True)
class Corpus:
    """Where a corpus lies in GLUE's layout and how its lines are read."""

    folder: str
    names: tuple[str, ...]
    source: str
    read: Callable[[list[str]], Raw]


def _sst2(cells: list[str]) -> Raw:
    return (cells[0].strip(),), int(cells[1])


def _rte(cells: list[str]) -> Raw:
    return (cells[1], cells[2]), int(cells[3] == "not_entailment")


def _mrpc(cells: list[str]) -> Raw:
    return (cells[3], cells[4]), int(cells[0])


CORPORA = {
    "sst2": Corpus("SST-2", ("negative", "positive"), "Socher et al. 2013; Wang et al. 2019, arXiv:1804.07461", _sst2),
    "rte": Corpus("RTE", ("entailment", "not_entailment"), "PASCAL RTE 1, 2, 3 and 5; arXiv:1804.07461", _rte),
    "mrpc": Corpus("MRPC", ("different", "paraphrase"), "Dolan & Brockett 2005; arXiv:1804.07461", _mrpc),
}
GENERATED = "generated"
"""A corpus of made-up sentences as long as SST-2's, for a quick check or a clock where there are no files."""


def load(corpus: str, root: str, train: int, held_out: int) -> Splits:
    """Returns `train` rows of the train file, and `held_out` of the dev file, halved into validation and test.

    Raises:
        FileNotFoundError: The corpus is not there.
        ValueError: The files hold fewer rows.
    """
    if corpus == GENERATED:
        rows = list(_generated(train + held_out))
        known, other = rows[:train], rows[train:]
    else:
        folder = corpus_folder(corpus, root)
        known = _drawn(_rows(corpus, folder, "train"), train)
        other = _drawn(_rows(corpus, folder, "dev"), held_out)
    half = len(other) // 2
    return Splits(known, other[:half], other[half:])


def corpus_folder(corpus: str, root: str) -> Path:
    """Returns the folder of a corpus under a root that is GLUE's own folder, or the one above it.

    Raises:
        FileNotFoundError: There is none.
    """
    name = CORPORA[corpus].folder
    for folder in (Path(root) / name, Path(root) / "glue" / name):
        if (folder / "train.tsv").is_file() and (folder / "dev.tsv").is_file():
            return folder
    raise FileNotFoundError(f"no {name}/train.tsv and dev.tsv under {root or 'nowhere'}")


def class_names(corpus: str) -> tuple[str, ...]:
    """Returns the names of the classes."""
    return ("dull", "fine") if corpus == GENERATED else CORPORA[corpus].names


def _rows(corpus: str, folder: Path, split: str) -> list[Labelled]:
    with (folder / f"{split}.tsv").open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(lines)
        read = CORPORA[corpus].read
        return [Labelled(f"{split}-{number}", *read(cells)) for number, cells in enumerate(lines) if cells]


def _drawn(rows: list[Labelled], count: int) -> list[Labelled]:
    if count > len(rows):
        raise ValueError(f"{count} rows asked for, {len(rows)} there")
    return random.Random(SEED).sample(rows, count)


def _generated(count: int) -> Iterator[Labelled]:
    draw = random.Random(SEED)
    words = ("a bleak tiresome clumsy hollow stale", "a warm clever graceful vivid joyful")
    for number in range(count):
        label = number % 2
        tone = " ".join(draw.choices(words[label].split()[1:], k=draw.randint(1, 3)))
        tail = " ".join(draw.choices("film story scene voice cast plot score tale".split(), k=draw.randint(4, 34)))
        yield Labelled(f"made-{number}", (f"the {tail} is {tone}",), label)
