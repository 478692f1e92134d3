"""The committed pages are rebuilt from the committed records byte for byte."""

import csv
import io
from pathlib import Path

import pytest

from tlbench.cli.app import _main

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "leaderboards").glob("*/tlbench.json"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_rebuild_gives_the_same_bytes(folder, capsys):
    assert _main(["leaderboard", "--out", str(folder), "--format", "markdown"]) == 0
    assert capsys.readouterr().out == folder.with_suffix(".md").read_text(encoding="utf-8")


def test_glue_lite_shows_what_pretraining_is_worth(capsys):
    assert _main(["leaderboard", "--out", str(ROOT / "leaderboards" / "glue-lite"), "-f", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 43
    assert all(row["seeds"] == "3" and row["rank"] for row in rows)
    best: dict[str, float] = {}
    for row in rows:
        assert float(row["value"]) <= 0.97
        if row["gain_low"]:
            best[row["task"]] = max(best.get(row["task"], -100.0), float(row["gain_low"]))
    # In points, and of the lower end of the interval over templates and seeds.
    assert sum(gain > 5 for gain in best.values()) >= 4
    assert all(gain > 0 for gain in best.values())
