"""Entries of the cache between processes: made once, waited for, and taken over from the dead."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from tlbench.modeling.disk import cache_folder as disk_folder
from tlbench.modeling.disk.disk_cache import DiskCache

KEY = {"data": "d", "stop": 3, "readout": None}


def made() -> dict[str, np.ndarray]:
    return {"ids": np.arange(7)}


WRITER = """
import os, signal, sys
import numpy as np
from pathlib import Path
from tlbench.modeling.disk.disk_cache import DiskCache
cache = DiskCache(Path(sys.argv[1]), 1 << 20, reserve_bytes=0)
with cache.writer("toys", {"data": "d", "stop": 3, "readout": None}) as writer:
    writer.add("ids", np.arange(1000))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_nothing_that_is_ever_read(cache: DiskCache, folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WRITER, str(folder)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = folder.glob(".*.draft")
    assert left.stat().st_size > 8000
    assert cache.find("toys", KEY) is None
    assert disk_folder.entries(folder) == []
    # another entry's commit sweeps it away
    cache.arrays("toys", {"data": "other"}, made)
    assert list(folder.glob(".*.draft")) == []
    assert cache.arrays("toys", KEY, made)["ids"].tolist() == list(range(7))
    assert len(disk_folder.entries(folder)) == 2


def test_a_draft_that_was_left_behind_is_taken_over(cache: DiskCache, folder: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITER, str(folder)], check=False)
    assert len(list(folder.glob(".*.draft"))) == 1
    assert cache.arrays("toys", KEY, made)["ids"].tolist() == list(range(7))
    assert list(folder.glob(".*.draft")) == []


ASKER = """
import sys
import numpy as np
from pathlib import Path
from tlbench.modeling.disk.disk_cache import DiskCache
folder, counter = Path(sys.argv[1]), Path(sys.argv[2])
def make():
    with counter.open("a") as file:
        file.write("made\\n")
    print("making", flush=True)
    sys.stdin.readline()
    return {"ids": np.arange(1000)}
print("asking", flush=True)
found = DiskCache(folder, 1 << 20, reserve_bytes=0).arrays("toys", {"data": "d"}, make)
print(int(found["ids"].sum()), flush=True)
"""


def test_of_two_processes_one_makes_it_and_the_other_waits(folder: Path, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    command = [sys.executable, "-c", ASKER, str(folder), str(counter)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    first = subprocess.Popen(command, **pipes)
    assert first.stdout.readline() == "asking\n"
    assert first.stdout.readline() == "making\n"
    second = subprocess.Popen(command, **pipes)
    assert second.stdout.readline() == "asking\n"
    first.stdin.write("go on\n")
    first.stdin.flush()
    assert first.communicate()[0] == "499500\n"
    assert second.communicate()[0] == "499500\n"
    assert counter.read_text() == "made\n"
    assert len(disk_folder.entries(folder)) == 1


def test_who_dies_while_another_waits_is_replaced(folder: Path, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    command = [sys.executable, "-c", ASKER, str(folder), str(counter)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    first = subprocess.Popen(command, **pipes)
    assert first.stdout.readline() == "asking\n"
    assert first.stdout.readline() == "making\n"
    second = subprocess.Popen(command, **pipes)
    assert second.stdout.readline() == "asking\n"
    first.kill()
    assert second.stdout.readline() == "making\n"
    assert second.communicate("go on\n")[0] == "499500\n"
    first.communicate()
    assert counter.read_text() == "made\nmade\n"
