"""A run in the middle, with two workers on tasks from one file."""

from __future__ import annotations

import os
import socket

import pytest

from tlbench.running.monitoring.run_status import OrderStatus, RunStatus

FILE = "csv:/home/somebody/projects/reviews/data/reviews-of-2026.csv"


@pytest.fixture
def status():
    orders = (
        OrderStatus(1, "0123456789abcdef", "full-finetune", "minilm-l6", f"{FILE}[label=stars]", "trial 3/16", 12.4),
        OrderStatus(2, "fedcba9876543210", "full-finetune", "minilm-l6", f"{FILE}[label=topic]", "seed 1/3", 3.04),
    )
    return RunStatus(
        "0123abcd", "reviews", os.getpid(), socket.gethostname(), 1000.0, 1130.0, 12, 4, 1, 2, orders, 95.0, True,
        "/out/work/run.log", "/out/work/workers.log",
    )  # fmt: skip
