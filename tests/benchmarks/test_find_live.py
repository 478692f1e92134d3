"""The live comparison of `find`: the peer's search, and the page."""

from __future__ import annotations

import csv
import json
import sys
import time

import msgspec
import pytest

from benchmarks.find.live import trainer_search
from benchmarks.find.live.live_report import LiveRun, live_page
from benchmarks.speed import corpora, models
from benchmarks.speed.rows import TINY, Work

RUN = LiveRun(
    task="trec", seed=0, minutes=2.0, side="tlbench", cores=2, seconds=118.0, test=0.91, chosen="a b", tried=9
)


def test_the_page_has_means_by_task_of_both_sides_and_every_run():
    runs = [
        RUN,
        msgspec.structs.replace(RUN, side="transformers", test=0.90, chosen="a"),
        msgspec.structs.replace(RUN, seed=1, test=0.89),
        msgspec.structs.replace(RUN, seed=1, side="transformers", test=0.86),
        msgspec.structs.replace(RUN, task="sst2"),
    ]
    page = live_page(runs)
    assert "| trec | 2 | 2 | 90.0 | 88.0 | +2.0 |" in page
    assert "| sst2 | 2 |" not in page, "a task that one side has not done has no mean"
    assert page.count("118 of 120") == len(runs)


@pytest.fixture
def job(tmp_path):
    splits = corpora.load(corpora.GENERATED, "", 48, 24)
    folder = models.model_of(Work(model=TINY, corpus=corpora.GENERATED, train=48, held_out=24), tmp_path, splits)[1]
    for name in ("train", "validation", "test"):
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as lines:
            table = csv.writer(lines)
            table.writerow(("text", "label"))
            table.writerows((" ".join(row.texts), f"class {row.label}") for row in getattr(splits, name))
    return trainer_search.SearchJob(
        str(tmp_path), {"one": str(folder), "three": str(folder)}, {"one": 1, "three": 3}, time.time(), 0, 32
    )


def test_the_peer_ends_with_the_best_epoch_when_its_time_is_over(job, tmp_path, monkeypatch):
    paths = tmp_path / "job.json", tmp_path / "report.json"
    paths[0].write_text(json.dumps(job.__dict__))
    monkeypatch.setattr(sys, "argv", ["search", *map(str, paths)])
    trainer_search.main()
    report = json.loads(paths[1].read_text())
    assert report["backbone"] in ("one", "three")
    # Its time was over before it began: one epoch, then the first step of the next one ends it.
    assert report["trials"] == 1
    assert report["test_rows"] == 12
    assert 0 <= report["test"] <= 1
