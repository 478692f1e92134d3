"""A run at two shares of the training data, and the board's table of scores at each number of examples."""

import pytest

from tlbench.cli.app import _main


@pytest.fixture
def board_of(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))

    def board(*options):
        out = ["--out", str(tmp_path / "out")]
        cell = ["-t", "toy-tone", "-S", "toy-majority", "--no-baseline", "--executor", "inline", "--trials", "1"]
        assert _main(["run", *cell, *options, *out]) == 0
        capsys.readouterr()
        assert _main(["leaderboard", *out, "-f", "markdown"]) == 0
        return capsys.readouterr().out

    return board


def test_two_shares_make_a_curve(board_of):
    board = board_of("--train-fraction", "0.25,1", "--seeds", "1")
    assert "## `toy-tone (25% of the training data)`" in board
    section = board[board.index("## Label efficiency") :].splitlines()
    # Of 64 training examples.
    assert section[6] == "| backbone | strategy | 16 examples | 64 |"
    assert section[8].startswith("| - | `toy-majority` | ")


def test_one_amount_makes_none(board_of):
    assert "Label efficiency" not in board_of("--seeds", "1")
