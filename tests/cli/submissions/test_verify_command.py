"""`tlbench submit` and `tlbench verify` as commands, and the tiers in a report."""

import json
import re

from tests.results.conftest import answers, cell
from tests.results.stored import committed
from tlbench.cli.app import _main
from tlbench.results.records.store import Store
from tlbench.results.submissions.tiers import CheckedCell, add_tiers, digest_of, read_tiers, tiers_of

EVIL = cell(task="t\x1b[2J\u202e")


def checked(tmp_path, tier="recomputed"):
    """Returns the file of tiers that says this of the only record of a folder."""
    (record,) = (tmp_path / "out" / "records").glob("*.json")
    content = [path.read_bytes() for path in (record, record.with_suffix(".parquet"))]
    add_tiers(tmp_path / "tiers.json", {digest_of(content): CheckedCell(tier, record.name.split(".")[0])})
    return tmp_path / "tiers.json"


def test_packed_results_are_verified_and_hostile_names_are_harmless(tmp_path, capsys):
    committed(tmp_path / "out", [(EVIL, answers(n=40))])
    sent, out = str(tmp_path / "sent.zip"), str(tmp_path / "out")
    assert _main(["submit", EVIL.id[:6], "--out", out, "--to", sent, "--by", "A. B."]) == 0
    assert "1 cell in 5 files" in capsys.readouterr().out
    # The records of these tests have no final fits.
    assert _main(["verify", sent]) == 1
    captured = capsys.readouterr()
    assert "it has scores and no final fit" in captured.err
    assert not {"\x1b", "\u202e"} & {*captured.out, *captured.err}
    assert _main(["verify", sent, "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)["submissions"]
    assert (found["accepted"], found["tier"], found["records"][0]["cell"]) == (False, None, EVIL.id)


def test_mistakes_are_one_line(tmp_path, capsys):
    committed(tmp_path / "out", [(EVIL, answers(n=40))])
    out, sent = str(tmp_path / "out"), str(tmp_path / "sent")
    assert _main(["submit", "--out", out, "--to", sent]) == 0
    capsys.readouterr()
    for arguments in (
        ["submit", "--out", out, "--to", sent],
        ["submit", "ffff", "--out", out, "--to", str(tmp_path / "new")],
        ["verify", str(tmp_path / "gone")],
        ["verify", str(tmp_path)],
        ["verify", sent, "--at-least", "perfect"],
        ["verify", sent, "--rerun", "ffff"],
        ["leaderboard", "--out", out, "--tiers", sent],
        ["leaderboard", "--out", out, "--to", str(tmp_path / "report"), "--tiers", str(tmp_path / "gone")],
    ):
        assert _main(arguments) == 2, arguments
        assert capsys.readouterr().err.count("\n") == 1


def test_a_report_shows_tiers_and_a_changed_record_loses_its_own(tmp_path):
    committed(tmp_path / "out", [(cell(), answers())])
    tiers = checked(tmp_path)
    report = ["leaderboard", "--out", str(tmp_path / "out"), "--to", str(tmp_path / "report"), "--tiers", str(tiers)]
    assert _main(report) == 0
    board = (tmp_path / "report" / "index.html").read_text()
    assert "Checked: 1 recomputed" in board
    assert re.search(r"<td[^>]*>recomputed", board)
    assert "Recomputed: every score" in (tmp_path / "report" / "cells" / f"{cell().id}.html").read_text()
    (record,) = (tmp_path / "out" / "records").glob("*.json")
    # Another digest of the same content: without one, as earlier versions wrote it.
    record.write_text(re.sub(r'"digest":"[0-9a-f]{32}",', "", record.read_text()))
    assert tiers_of(Store.open(tmp_path / "out"), read_tiers(tiers)) == {cell().id: "self-reported"}
    assert _main(report) == 0
    assert "Checked: 1 self-reported" in (tmp_path / "report" / "index.html").read_text()


def test_a_tier_never_falls_for_the_same_bytes(tmp_path):
    committed(tmp_path / "out", [(cell(), answers())])
    checked(tmp_path, "re-run")
    found = read_tiers(checked(tmp_path, "recomputed"))
    assert [one.tier for one in found.cells.values()] == ["re-run"]
