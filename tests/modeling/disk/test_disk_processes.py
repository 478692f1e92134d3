"""Cache entries between processes: computed once, waited for, and taken over from killed processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from tlbench.modeling.disk import cache_folder as disk_folder
from tlbench.modeling.disk.disk_cache import DiskCache

KEY = {"data": "d", "stop": 3, "readout": None}


def make() -> dict[str, np.ndarray]:
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


def test_the_partial_file_of_a_killed_writer_is_never_read(cache: DiskCache, folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WRITER, str(folder)], check=False)
    assert done.returncode == -signal.SIGKILL
    (partial,) = folder.glob(".*.draft")
    assert partial.stat().st_size > 8000
    assert cache.find("toys", KEY) is None
    assert disk_folder.entries(folder) == []
    # committing another entry removes it
    cache.arrays("toys", {"data": "other"}, make)
    assert list(folder.glob(".*.draft")) == []
    assert cache.arrays("toys", KEY, make)["ids"].tolist() == list(range(7))
    assert len(disk_folder.entries(folder)) == 2


def test_an_abandoned_partial_file_is_taken_over(cache: DiskCache, folder: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITER, str(folder)], check=False)
    assert len(list(folder.glob(".*.draft"))) == 1
    assert cache.arrays("toys", KEY, make)["ids"].tolist() == list(range(7))
    assert list(folder.glob(".*.draft")) == []


READER = """
import sys
import numpy as np
from pathlib import Path
from tlbench.modeling.disk.disk_cache import DiskCache
folder, counter = Path(sys.argv[1]), Path(sys.argv[2])
def make():
    with counter.open("a") as file:
        file.write("computed\\n")
    print("computing", flush=True)
    sys.stdin.readline()
    return {"ids": np.arange(1000)}
print("starting", flush=True)
arrays = DiskCache(folder, 1 << 20, reserve_bytes=0).arrays("toys", {"data": "d"}, make)
print(int(arrays["ids"].sum()), flush=True)
"""


def test_of_two_processes_one_computes_the_entry_and_the_other_waits(folder: Path, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    command = [sys.executable, "-c", READER, str(folder), str(counter)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    first = subprocess.Popen(command, **pipes)
    assert first.stdout.readline() == "starting\n"
    assert first.stdout.readline() == "computing\n"
    second = subprocess.Popen(command, **pipes)
    assert second.stdout.readline() == "starting\n"
    first.stdin.write("go on\n")
    first.stdin.flush()
    assert first.communicate()[0] == "499500\n"
    assert second.communicate()[0] == "499500\n"
    assert counter.read_text() == "computed\n"
    assert len(disk_folder.entries(folder)) == 1


def test_a_waiting_process_takes_over_from_one_that_is_killed(folder: Path, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    command = [sys.executable, "-c", READER, str(folder), str(counter)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    first = subprocess.Popen(command, **pipes)
    assert first.stdout.readline() == "starting\n"
    assert first.stdout.readline() == "computing\n"
    second = subprocess.Popen(command, **pipes)
    assert second.stdout.readline() == "starting\n"
    first.kill()
    assert second.stdout.readline() == "computing\n"
    assert second.communicate("go on\n")[0] == "499500\n"
    first.communicate()
    assert counter.read_text() == "computed\ncomputed\n"
