"""`tlbench merge`: its report and exit status."""

import json

from tests.results.conftest import answers, cell
from tests.results.stored import committed
from tlbench.cli.app import _main

EVIL = cell(task="t\x1b[2J\u202e")


def test_conflicts_are_printed_and_fail(tmp_path, capsys):
    committed(tmp_path / "a", [(EVIL, answers(n=40))])
    committed(tmp_path / "b", [(EVIL, answers(n=40, accuracy=0.5, draw=4))])
    folders = [str(tmp_path / name) for name in "ab"]
    assert _main(["merge", *folders, "--out", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert "a: 1 added, 0 already there" in captured.out
    assert "other scores" in captured.err
    assert not {"\x1b", "\u202e"} & {*captured.out, *captured.err}
    assert _main(["merge", *folders, "--out", str(tmp_path / "out"), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [one["present"] for one in found["sources"]] == [1, 0]
    assert len(found["conflicts"]) == 1
    assert _main(["merge", folders[0], "--out", str(tmp_path / "out")]) == 0
    assert _main(["leaderboard", "--all", "--out", str(tmp_path / "out"), "-f", "csv"]) == 0
    assert EVIL.id in capsys.readouterr().out


def test_a_mistake_is_one_line(tmp_path, capsys):
    assert _main(["merge", str(tmp_path / "gone"), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert _main(["merge", "--out", str(tmp_path / "out")]) == 2
    assert _main(["merge", str(tmp_path)]) == 2
