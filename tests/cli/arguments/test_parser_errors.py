"""What the parser of the command line refuses is one line with one suggestion."""

import pytest

from tlbench.cli.app import _main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "tlbench: No such command 'rnu'. Did you mean 'run'?\n"),
        (["list", "strategie"], "value for KIND: 'strategie' is not one of 'all', "),
        (["list", "strategie"], "'plugins'. Did you mean 'strategies'?\n"),
        (["plan", "--pruner", "haling"], "Did you mean 'halving'?\n"),
        (["plan", "--pruner", "q"], "'halving-rungs', 'hyperband-rungs'.\n"),
        (["plan", "--trials", "x"], "Invalid value for '--trials': 'x' is not a whole number.\n"),
        (["plan", "--epochs", "x"], "Invalid value for '--epochs': 'x' is not a number.\n"),
    ],
)
def test_one_line_with_one_suggestion(capsys, arguments, message):
    assert _main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
