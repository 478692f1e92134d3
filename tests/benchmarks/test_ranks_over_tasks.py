"""The simulation of means over tasks, with few draws: a rate and an interval far from their targets are noticed."""

from benchmarks.ranks.several_tasks import SeveralTasks, main, page, simulated


def test_equal_strategies_mostly_share_rank_1_and_intervals_mostly_cover():
    counts = simulated(SeveralTasks(3, 3, 200, 3, 2), 40)
    # With the nominal rates, more than 8 errors or fewer than 31 covered in 40 have a probability below 0.1%.
    assert counts["any"] <= 8
    assert counts["covered"] >= 31
    assert counts["width"] > 0.02


def test_finished_settings_are_kept(tmp_path, capsys, monkeypatch):
    arguments = ["--draws", "1", "--only", "tasks3-K2-n500-S3-sd1", "--out", str(tmp_path)]
    assert main(arguments) == main(arguments) == 0
    assert capsys.readouterr().err.count("done") == 1
    assert "| tasks3-K2-n500-S3-sd1 | 1 |" in (tmp_path / "tasks.md").read_text(encoding="utf-8")
    assert "99.9% interval" in page({})
