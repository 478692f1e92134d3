"""The live view, drawn at the widths of terminals."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from tlbench.cli.progress.live import LiveView


def drawn(status, width):
    console = Console(width=width, record=True, file=io.StringIO(), force_terminal=True)
    console.print(LiveView(lambda: status))
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_has_a_line_for_the_run_and_one_for_each_worker(status, width):
    lines = [line.rstrip() for line in drawn(status, width)]
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("reviews  ")
    assert "4 of 12 cells, 1 failed  2 min 10 s so far, about 1 min 35 s left" in lines[0] or width == 60
    assert lines[1].startswith("  1  full-finetune  minilm-l6  trial 3/16")
    assert lines[2].startswith("  2  full-finetune  minilm-l6  seed 1/3")


def test_the_bar_gives_way_to_the_facts(status):
    assert "━" in drawn(status, 120)[0]
    assert "━" not in drawn(status, 80)[0]


def test_it_says_that_workers_start_and_stays_low_with_many_of_them(status):
    assert drawn(msgspec.structs.replace(status, orders=()), 80)[-1].strip() == "starting the workers"
    many = drawn(msgspec.structs.replace(status, orders=status.orders * 20), 80)
    assert len(many) == 18
    assert many[-1].strip() == "and 24 more workers"
