"""Damaged files of every format end in one line, never in a traceback, a hang or a full memory.

`make fuzz` tries many more mutations of each file than this.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.untrusted.hangs import ended_if_it_hangs
from tests.untrusted.mutations import mutated
from tests.untrusted.sent_samples import SAMPLES, Sample
from tlbench.contracts.errors import UsageError

MUTATIONS = int(os.environ.get("TLBENCH_FUZZ", "8"))
SEED = int(os.environ.get("TLBENCH_FUZZ_SEED", "25"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))


def read(sample: Sample, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        with ended_if_it_hangs():
            sample.read(path)
    except UsageError as refused:
        if "\n" in str(refused):
            raise AssertionError(f"{sample.name}: more than one line: {refused}") from refused


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_whole_file_is_read(sample, tmp_path):
    path = tmp_path / sample.name
    path.write_bytes(sample.content)
    sample.read(path)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_damaged_file_is_read_or_refused_in_one_line(sample, tmp_path):
    draw = random.Random(f"{SEED} {sample.name}")
    for number in range(MUTATIONS):
        content = mutated(sample.content, draw)
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            read(sample, folder / sample.name, content)
        except BaseException:
            print(f"mutation {number} of {sample.name}: {content[:300]!r}")
            raise
