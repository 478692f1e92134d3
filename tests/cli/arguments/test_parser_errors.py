"""What the parser of the command line refuses is one line with one suggestion."""

from importlib.metadata import version

import pytest

from tlbench.cli.app import _main

# typer 0.29 checks values with pydantic, whose messages do not repeat the value.
NOT_A = "give a" if tuple(map(int, version("typer").split(".")[:2])) >= (0, 29) else "'x' is not a"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "tlbench: No such command 'rnu'. Did you mean 'run'?\n"),
        (["list", "strategie"], ": 'strategie' is not one of 'all', "),
        (["list", "strategie"], "'plugins'. Did you mean 'strategies'?\n"),
        (["plan", "--pruner", "haling"], "Did you mean 'halving'?\n"),
        (["plan", "--pruner", "q"], "'halving-rungs', 'hyperband-rungs'.\n"),
        (["plan", "--trials", "x"], f"Invalid value for '--trials': {NOT_A} whole number"),
        (["plan", "--epochs", "x"], f"Invalid value for '--epochs': {NOT_A} number"),
    ],
)
def test_one_line_with_one_suggestion(capsys, arguments, message):
    assert _main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
