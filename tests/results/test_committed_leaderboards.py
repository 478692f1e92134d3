"""The committed pages are rebuilt from the committed records byte for byte."""

from pathlib import Path

import pytest

from tlbench.cli.app import _main

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "leaderboards").glob("*/tlbench.json"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_rebuild_gives_the_same_bytes(folder, capsys):
    assert _main(["leaderboard", "--out", str(folder), "--format", "markdown"]) == 0
    assert capsys.readouterr().out == folder.with_suffix(".md").read_text(encoding="utf-8")


def test_glue_lite_shows_what_pretraining_is_worth():
    from tlbench.results.records.store import Store

    records = [record for record in Store.open(ROOT / "leaderboards" / "glue-lite").records() if record.status == "ok"]
    best: dict[str, dict[str, float]] = {}
    for record in records:
        whole = [s.value for s in record.scores if s.slice is None and s.metric == record.metrics[0]]
        task, strategy = best.setdefault(record.cell.task.name, {}), record.cell.strategy.name
        kind = strategy if strategy in {"majority", "from-scratch"} else "adapted"
        if kind != "adapted" or (record.cell.backbone and record.cell.backbone.name == "minilm-l6"):
            task[kind] = max(task.get(kind, -1.0), sum(whole) / len(whole))
    assert len(records) == 35
    clear = [t for t in best.values() if t["adapted"] >= max(t["from-scratch"] + 0.15, t["majority"] + 0.2)]
    assert len(clear) >= 4
    assert all(task["adapted"] <= 0.97 for task in best.values())
