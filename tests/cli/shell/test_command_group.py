"""What all commands share: verbosity, the version, and examples in the help that work."""

from __future__ import annotations

import logging
import shlex

import pytest
import typer

from tlbench import __version__
from tlbench.cli.app import _main, app
from tlbench.cli.shell.examples import EXAMPLES
from tlbench.cli.shell.verbosity import is_quiet

GROUP = typer.main.get_command(app)


def commands():
    for name, command in GROUP.commands.items():
        for inner, one in getattr(command, "commands", {}).items():
            yield f"{name} {inner}", one
        if not hasattr(command, "commands"):
            yield name, command


@pytest.mark.parametrize(
    ("path", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_has_examples_which_it_accepts(path, command, capsys):
    assert len(EXAMPLES[path]) in {2, 3}
    assert _main([*path.split(), "--help"]) == 0
    printed = capsys.readouterr().out
    for example in EXAMPLES[path]:
        assert f"\n    {example}\n" in printed
        words = shlex.split(example.split(" | ")[0].split(" > ")[0])
        arguments = words[words.index("tlbench") + 1 :]
        if arguments != ["--version"]:
            assert arguments[: len(path.split())] == path.split()
            assert command.make_context(path, arguments[len(path.split()) :])
    for option in ("-v, --verbose", "-q, --quiet", "--log-level"):
        assert option in printed


def test_no_example_is_of_a_command_that_is_gone():
    assert set(EXAMPLES) == {path for path, _ in commands()}


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_one_line(option, capsys):
    assert _main([option]) == 0
    assert capsys.readouterr().out == f"tlbench {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "level"),
    [
        ("version", "WARNING"), ("version -v", "INFO"), ("-v version", "INFO"), ("version -vv", "DEBUG"),
        ("version -q", "ERROR"), ("--quiet version", "ERROR"), ("version --log-level Info", "INFO"),
        ("--log-level error version", "ERROR"), ("cache info -v", "INFO"), ("cache -v info", "INFO"),
    ],
)  # fmt: skip
def test_the_level_is_set_before_and_after_the_command(arguments, level):
    assert _main(arguments.split()) == 0
    assert logging.getLevelName(logging.getLogger("tlbench").level) == level
    assert is_quiet() == (level == "ERROR")
    # Of the next command in this process, the level is the default again.
    assert _main(["version"]) == 0
    assert not is_quiet()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["version", "-v", "-q"], "give --verbose or --quiet, not both"),
        (["-q", "version", "--log-level", "info"], "give --quiet or --log-level, not both"),
        (["version", "--log-level", "loud"], "--log-level loud: give one of debug, info, warning, error"),
    ],
    ids=" ".join,
)
def test_two_levels_and_unknown_ones_are_one_line(arguments, message, capsys):
    assert _main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_log_lines_go_to_stderr_from_their_level_on(capsys):
    _main(["version", "-v"])
    capsys.readouterr()
    logging.getLogger("tlbench.some").info("a note")
    logging.getLogger("tlbench.some").debug("a detail")
    captured = capsys.readouterr()
    assert captured.err.endswith(" INFO tlbench.some: a note\n")
    assert not captured.out
    _main(["version"])
