"""What is measured as own memory: planted allocations of known size, mapped files, children, and cached results."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tlbench.system import process_memory
from tlbench.system.process_memory import (
    Reading,
    add_cached,
    memory_growth,
    read_memory,
    remove_cached,
    reset_resident_peak,
    watched_memory,
)

MB = 1_000_000
on_linux = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux has these files")


@pytest.fixture(autouse=True)
def nothing_cached(monkeypatch):
    """Activations that earlier tests of this process have read from disk, and still hold, are not of these tests."""
    monkeypatch.setattr(process_memory._replayed, "held_bytes", 0)


def hold(megabytes: int) -> None:
    """Writes to every page of memory of this size and frees it."""
    np.ones(megabytes * MB, dtype=np.uint8)


def in_new_process(name: str) -> None:
    """Calls a function of this file in a process of its own, in which earlier tests have left no memory to be freed."""
    code = f"import runpy; runpy.run_path({__file__!r})[{name!r}]()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@on_linux
def test_an_allocation_between_two_readings_is_measured_within_5_percent():
    if not reset_resident_peak():
        pytest.skip("the peak cannot be reset here")
    in_new_process("allocate_between_readings")


def allocate_between_readings() -> None:
    before = read_memory().own
    with watched_memory(sampled=False) as watch:
        hold(300)
    assert read_memory().own - before < 100 * MB, "freed before the second reading"
    assert watch.own_peak - before == pytest.approx(300 * MB, rel=0.05)
    assert watch.resident_peak - watch.baseline == pytest.approx(300 * MB, rel=0.05)


@on_linux
def test_a_mapped_file_is_resident_but_not_own(tmp_path):
    path = tmp_path / "rows"
    path.write_bytes(bytes(100 * MB))
    before = read_memory().own
    with watched_memory(sampled=False) as watch, path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        assert np.frombuffer(mapped, dtype=np.uint8).sum() == 0
    assert watch.resident_peak - watch.baseline > 90 * MB
    assert watch.own_peak - before < 10 * MB


@on_linux
def test_memory_of_a_child_counts_without_what_it_shares_with_its_parent():
    shared = np.ones(200 * MB, dtype=np.uint8)
    asked, answers = os.pipe(), os.pipe()
    with watched_memory(sampled=False) as watch:
        before = read_memory().own
        if (pid := os.fork()) == 0:
            try:
                assert shared[-1] == 1
                own = np.ones(100 * MB, dtype=np.uint8)
                add_cached(1 << 40, 0)  # in the child, no watch
                os.write(answers[1], b"x")
                os.read(asked[0], 1)
                assert own[-1] == 1
            finally:
                os._exit(0)
        assert os.read(answers[0], 1) == b"x"
        watch.update()
        os.write(asked[1], b"x")
        os.waitpid(pid, 0)
    for end in (*asked, *answers):
        os.close(end)
    assert watch.own_peak - before == pytest.approx(100 * MB, rel=0.2)


@on_linux
def test_memory_of_a_child_s_child_counts():
    code = "x = bytearray(range(200)) * 250_000; print(len(x), flush=True); input()"
    shell = f'{sys.executable} -c "{code}"; true'
    before = read_memory().own
    with watched_memory(sampled=False) as watch:
        child = subprocess.Popen(["/bin/sh", "-c", shell], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "50000000\n"
        watch.update()
        child.communicate("\n")
    assert watch.own_peak - before > 50 * MB


@on_linux
def test_a_sampling_thread_ends_with_the_block():
    with watched_memory() as watch:
        assert any(thread.name == "memory-watch" for thread in process_memory.threading.enumerate())
    assert not any(thread.name == "memory-watch" for thread in process_memory.threading.enumerate())
    assert watch.own_peak > 0


@on_linux
def test_what_comes_from_a_cache_counts_as_if_it_had_been_computed():
    if not reset_resident_peak():
        pytest.skip("the peak cannot be reset here")
    in_new_process("read_from_a_cache")


def read_from_a_cache() -> None:
    with watched_memory(sampled=False) as watch, memory_growth() as outer, memory_growth() as inner:
        hold(100)
    assert inner.bytes == pytest.approx(100 * MB, rel=0.05)
    assert outer.bytes == pytest.approx(inner.bytes, rel=0.05)
    before = read_memory().own
    with watched_memory(sampled=False) as watch:
        add_cached(inner.bytes, 0)
    assert watch.own_peak - before == pytest.approx(100 * MB, rel=0.05)
    with watched_memory(sampled=False) as watch:
        add_cached(0, 500 * MB)
        hold(100)
    assert watch.own_peak - before == pytest.approx(600 * MB, rel=0.05), "held while another 100 MB were needed"
    remove_cached(500 * MB)
    with watched_memory(sampled=False) as watch:
        hold(100)
    assert watch.own_peak - before == pytest.approx(100 * MB, rel=0.05), "what was removed still counted"
    with memory_growth() as unwatched:
        add_cached(7, 7)
    assert unwatched.bytes == 0


def test_without_a_reset_old_peaks_do_not_make_files_own_memory(monkeypatch):
    # a peak of 900, of which 500 were files that were unmapped since
    readings = iter([Reading(900, 900, 400, 500), Reading(450, 900, 410, 40), Reading(450, 900, 410, 40)])
    monkeypatch.setattr(process_memory, "read_memory", lambda: next(readings))
    monkeypatch.setattr(process_memory, "reset_resident_peak", lambda: False)
    monkeypatch.setattr(process_memory, "children_bytes", lambda: 0)
    with watched_memory(sampled=False) as watch:
        watch.update()
    assert (watch.baseline, watch.resident_peak, watch.own_peak) == (900, 900, 410)


def test_memory_that_was_swapped_out_is_own(monkeypatch):
    readings = iter([Reading(100, 100, 90, 10), Reading(60, 100, 120, 10, 70)])
    monkeypatch.setattr(process_memory, "read_memory", lambda: next(readings))
    monkeypatch.setattr(process_memory, "reset_resident_peak", lambda: True)
    monkeypatch.setattr(process_memory, "children_bytes", lambda: 0)
    with watched_memory(sampled=False) as watch:
        pass
    assert watch.own_peak == 120


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("win32", Reading(50, 80, 40, own_peak=70)), ("darwin", Reading(50, 90, 50, own_peak=90))],
)
def test_other_systems_give_the_peak_that_they_have(monkeypatch, platform, expected):
    info = SimpleNamespace(rss=50, peak_wset=80, pagefile=40, peak_pagefile=70)
    psutil = SimpleNamespace(Process=lambda pid: SimpleNamespace(memory_info=lambda: info))
    resource = SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: SimpleNamespace(ru_maxrss=90))
    monkeypatch.setitem(sys.modules, "psutil", psutil)
    monkeypatch.setitem(sys.modules, "resource", resource)
    monkeypatch.setattr(process_memory, "Path", lambda path: Path("/missing"))
    monkeypatch.setattr(process_memory.sys, "platform", platform)
    assert read_memory() == expected
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert read_memory() is None
    readings = iter([expected, expected])
    monkeypatch.setattr(process_memory, "read_memory", lambda: next(readings))
    monkeypatch.setattr(process_memory, "children_bytes", lambda: 0)
    with watched_memory(sampled=False) as watch:
        pass
    assert watch.own_peak == expected.own_peak
