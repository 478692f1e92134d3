"""The page for coding assistants: its commands and options exist, and so do the keys that it names."""

import itertools
import re
import shlex
from pathlib import Path

import pytest
import typer

from tlbench.cli.app import _main, app
from tlbench.cli.browsing.skill import PAGE

LINES = [line.strip() for line in PAGE.splitlines() if re.match(r"    (?:[A-Z_]+=\S+ )*tlbench ", line)]
QUOTED = re.findall(r"`(tlbench [^`]+)`", PAGE)


@pytest.mark.parametrize("line", [*LINES, *QUOTED])
def test_each_command_and_option_exists(line):
    words = shlex.split(line.partition("tlbench ")[2])
    command = typer.main.get_command(app).commands[words[0]]
    known = {option for parameter in command.params for option in parameter.opts}
    used = [word for word in words[1:] if re.match(r"--?[A-Za-z]", word)]
    assert set(used) <= known
    # What is not an option is a value of one or an argument, and a command without arguments takes none.
    takes = {
        option: not getattr(parameter, "is_flag", False) for parameter in command.params for option in parameter.opts
    }
    free = [word for before, word in itertools.pairwise(words) if word not in used and not takes.get(before)]
    assert not free or any(parameter.param_type_name == "argument" for parameter in command.params)


def test_the_keys_that_it_names_are_documented():
    schema = (Path(__file__).parents[3] / "docs" / "json.md").read_text(encoding="utf-8")
    keys = set(re.findall(r"^\| `([^`]+)`", schema, re.MULTILINE))
    last = {re.split(r"[.\[\]]+", key.removesuffix("[]"))[-1] for key in keys}
    named = {"missing", "advice", "skipped", "failures", "take", "value", "low", "high", "ties", "rows",
             "detectable", "is_tested", "conclusions", "best_params"}  # fmt: skip
    assert named <= last | {part for key in keys for part in re.split(r"[.\[\]]+", key)}
    assert all(f"`{name}`" in PAGE for name in named)


def test_it_is_printed(capsys):
    assert _main(["skill"]) == 0
    assert capsys.readouterr().out == PAGE
    assert len(PAGE.splitlines()) < 120
