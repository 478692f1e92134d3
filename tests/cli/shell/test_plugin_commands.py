"""Commands that plugins add: they run, fail and are listed as tlbench's own, which they cannot replace."""

import pytest

from tlbench.cli.app import _main

GREETING = """
import typer
from tlbench import UsageError, hookimpl

def greet(name: str, loudly: bool = False) -> None:
    \"\"\"Say good day.\"\"\"
    if name == "nobody":
        raise UsageError("nobody cannot be greeted")
    print(name.upper() if loudly else name)

@hookimpl
def tlbench_commands():
    return {"greet": greet, "version": greet}
"""
BROKEN = """
from tlbench import hookimpl

@hookimpl
def tlbench_commands():
    raise RuntimeError("no commands today")
"""


@pytest.fixture(autouse=True)
def plugins(tmp_path, monkeypatch):
    (tmp_path / "greeting_of_tests.py").write_text(GREETING)
    (tmp_path / "broken_of_tests.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TLBENCH_PLUGINS", "broken_of_tests,greeting_of_tests")


def test_a_command_of_a_plugin_runs_with_the_options_of_all_commands(capsys):
    assert _main(["greet", "ada", "--loudly", "-v"]) == 0
    assert capsys.readouterr().out == "ADA\n"
    assert _main(["greet", "nobody"]) == 2
    assert "tlbench: nobody cannot be greeted" in capsys.readouterr().err


def test_it_is_listed_and_replaces_no_command_of_tlbench(capsys):
    assert _main(["--help"]) == 0
    assert "Say good day." in capsys.readouterr().out
    assert _main(["version"]) == 0
    assert "tlbench" in capsys.readouterr().out
    assert _main(["gret"]) == 2
