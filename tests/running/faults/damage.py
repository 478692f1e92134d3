"""Interrupted and finished toy cells, and ways to damage their files."""

import json
import random
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.running.conftest import Runs
from tlbench.results.records.store import Store
from tlbench.running.cells.final_fits import FinalFits

PLUGINS = "tlbench.testing.toy_plugin,tlbench.testing.faults"
WHAT = {"trials": 3, "seeds": 2}
STRATEGY = "toy-tune"


def flipped(content, bit):
    """Returns content with one bit changed."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


DAMAGES = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
    "one bit": lambda content: flipped(content, 8 * (len(content) // 2)) if content else b"",
    "other json": lambda content: b'{"colour":"red"}',
    "deep json": lambda content: b"[" * 100_000,
}


def made_again(runs, template, damaged=()):
    """Copies a template over the folder of some runs, damages files by name, and finishes the run; returns the record.

    Args:
        runs: The runs.
        template: A folder of results.
        damaged: Pairs of a file's path in the folder and the function that damages its content.
    """
    shutil.rmtree(runs.folder, ignore_errors=True)
    shutil.copytree(template, runs.folder)
    for path, damage in damaged:
        file = runs.folder / path
        file.write_bytes(damage(file.read_bytes()))
    return runs.one(STRATEGY, **WHAT)


@contextmanager
def toys():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLBENCH_PLUGINS", PLUGINS)
        yield patch


def interrupted_before(folder, step):
    """Runs a cell in a folder until it would be scored or committed."""

    def killed(*arguments):
        raise KeyboardInterrupt

    owner, name = {"scoring": (FinalFits, "check"), "committing": (Store, "commit")}[step]
    with toys() as patch:
        patch.setattr(owner, name, killed)
        with pytest.raises(KeyboardInterrupt):
            Runs(folder).one(STRATEGY, **WHAT)
    return folder


def files_of(template):
    """Returns the paths of all files of a folder's cells that hold something, relative to the folder."""
    work = Path(template) / "work"
    found = (path for folder in work.iterdir() if folder.is_dir() for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(template).as_posix() for path in found if path.stat().st_size)


def flips(sizes, count, seed):
    """Returns random (number of a file, bit), each file as likely as it is large."""
    rng = random.Random(seed)
    numbers = rng.choices(range(len(sizes)), [max(1, size) for size in sizes], k=count)
    return [(number, rng.randrange(8 * sizes[number])) for number in numbers]


def plain(value):
    """Returns a value as comparable text."""
    import msgspec

    return json.dumps(msgspec.to_builtins(value), sort_keys=True)
