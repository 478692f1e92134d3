"""The clock of a search, which goes on from what earlier processes left."""

from tlbench.finding.clock import Clock


def test_the_time_of_earlier_processes_counts(tmp_path):
    now = [100.0]
    first = Clock(tmp_path / "clock", now=lambda: now[0])
    with first.beating():
        now[0] = 107.5
    later = Clock(tmp_path / "clock", began=200.0, now=lambda: 201.0)
    assert later.elapsed == 8.5


def test_a_damaged_file_counts_as_nothing(tmp_path):
    for content in ("not a number", "-3"):
        (tmp_path / "clock").write_text(content)
        assert Clock(tmp_path / "clock", began=1.0, now=lambda: 3.0).elapsed == 2.0
