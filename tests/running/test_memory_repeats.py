"""The memory of a real cell is the same alone, after other cells, and with two workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tlbench.results.records.store import Store

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a peak"),
]
STRATEGIES = ("majority", "tfidf", "head-only", "full-finetune", "partial-finetune", "linear-probe")
FEW_MB = 16_000_000
"""What the allocator's state makes of differences, whatever a cell's size."""


def own_bytes(folder: Path, texts: Path, strategies: tuple[str, ...], jobs: int) -> dict[str, int]:
    """Runs cells with an empty cache and returns the own memory of each, by strategy."""
    chosen = [argument for name in strategies for argument in ("-S", name)]
    # one thread, as with `--jobs 2` on two cores: the memory of a step depends on the number of threads
    done = subprocess.run(
        [sys.executable, "-m", "tlbench", "run", "-q", "-t", f"csv:{texts}", "-b", "minilm-l3", *chosen,
         "--no-baseline", "--max-steps", "4", "--trials", "3", "--seeds", "2", "--jobs", str(jobs), "-o", str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TLBENCH_CACHE": f"{folder}-cache"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {record.cell.strategy.name: record.memory.host_own_bytes for record in Store.open(folder).records()}


def test_a_cell_s_memory_is_within_5_percent_alone_after_others_and_beside_others(tmp_path):
    texts = tmp_path / "texts.csv"
    words = ("superb", "dull")
    rows = [f"a {words[i % 2]} film {'and a plot ' * (i % 9)}number {i},{words[i % 2]}" for i in range(240)]
    texts.write_text("\n".join(["text,label", *rows]))
    together = own_bytes(tmp_path / "together", texts, STRATEGIES, jobs=1)
    beside = own_bytes(tmp_path / "beside", texts, STRATEGIES, jobs=2)
    for name in ("linear-probe", "partial-finetune", "full-finetune"):
        alone = own_bytes(tmp_path / name, texts, (name,), jobs=1)[name]
        assert together[name] == pytest.approx(alone, rel=0.05, abs=FEW_MB), name
        assert beside[name] == pytest.approx(alone, rel=0.05, abs=FEW_MB), name
