"""What a fit takes in a process of its own beside what was estimated for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tlbench.running.fitting.libraries import ALLOCATOR

SCRIPT = Path(__file__).with_name("measured_fit.py")
# Not in CI: a peak hangs on the machine's libraries and allocator as well.
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a peak"),
]


@pytest.mark.parametrize("rows", [8, 32])
@pytest.mark.parametrize("strategy", ["full-finetune", "lora"])
def test_an_estimate_is_within_30_percent_of_the_peak(strategy: str, rows: int) -> None:
    path = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, **ALLOCATOR, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), strategy, str(rows), "128"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert 0.7 < result["estimate"] / result["measured"] < 1.3, result
