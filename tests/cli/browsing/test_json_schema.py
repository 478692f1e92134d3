"""The JSON of each command has exactly the keys and types that docs/json.md has."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.results.conftest import answers, cell
from tests.results.stored import committed
from tlbench.cli.app import _main

PAGE = (Path(__file__).parents[3] / "docs" / "json.md").read_text(encoding="utf-8")
TYPES = {"string": str, "number": (int, float), "integer": int, "boolean": bool, "null": type(None)}
SEEDS = (0, 1, 2)


def documented(command):
    """Returns the keys of a command's section: a pattern and a type for each, by the key as it is written."""
    section = PAGE.split(f"## {command}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", section, re.MULTILINE)
    assert rows
    return {key: (re.compile(re.escape(key).replace(r"\*", r"[^.\[\]]+")), kind.strip()) for key, kind in rows}


def leaves(value, path="") -> Iterator[tuple[str, object]]:
    """Yields the path and value of everything in a JSON value that is no list and no object."""
    if isinstance(value, dict):
        for name, part in value.items():
            # A dot or bracket in a name would look like a level.
            step = re.sub(r"[.\[\]]", "_", name)
            yield from leaves(part, f"{path}.{step}".removeprefix("."))
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, f"{path}[]")
    else:
        yield path, value


def is_of(value, kind):
    names = kind.removesuffix(", optional").split(" or ")
    if names == ["any"]:
        return True
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, TYPES[name]) for name in names)


@pytest.fixture
def output(tmp_path, monkeypatch, capsys):
    """Returns a command's JSON."""
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    monkeypatch.setenv("TLBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    committed(tmp_path / "a", [(cell(seeds=SEEDS), answers(seeds=SEEDS)), (cell("cola-lite"), answers("cola-lite"))])
    committed(tmp_path / "a", [(cell(strategy="majority", backbone=None), answers(accuracy=0.5, seeds=SEEDS))])
    committed(tmp_path / "a", [(cell(strategy="lp-ft"), None)])
    committed(tmp_path / "b", [(cell(seeds=SEEDS), answers(accuracy=0.7, seeds=SEEDS, draw=3))])

    def call(arguments, statuses=(0,)):
        capsys.readouterr()
        assert _main(arguments.split()) in statuses
        return json.loads(capsys.readouterr().out)

    return call


CASES = [
    ("tlbench list", ["list --json"]),
    ("tlbench version", ["version --json"]),
    ("tlbench plan", ["plan -t toy-tone -S toy-fit -b toy --out a --json"]),
    ("tlbench show NAME", ["show toy --json", "show toy-tune --json", "show toy-tone --json"]),
    ("tlbench show CELL", [f"show {cell(seeds=SEEDS).id} --out a --json"]),
    ("tlbench status", ["status --out a --json"]),
    ("tlbench check", ["check toy-tone --json"]),
    ("tlbench leaderboard", ["leaderboard --all --out a --json"]),
    ("tlbench compare", ["compare a b --json", "compare solved.txt other.txt --json"]),
    ("tlbench recommend", ["recommend --out a --json"]),
    ("tlbench merge", ["merge a b --out union --json"]),
    ("tlbench find", ["find toy-tone -b toy -S toy-fit --executor inline --until accuracy>0 --out found --json"]),
]


@pytest.mark.parametrize(("section", "commands"), CASES)
def test_output_has_the_documented_keys(output, section, commands):
    Path("solved.txt").write_text("x\ny\n")
    Path("other.txt").write_text("y\nz\n")
    keys = documented(section)
    found = [leaf for command in commands for leaf in leaves(output(command, (0, 1)))]
    seen = set()
    for path, value in found:
        fitting = [key for key, (pattern, _) in keys.items() if pattern.fullmatch(path)]
        assert fitting, f"{section}: {path} is not in docs/json.md"
        assert any(is_of(value, keys[key][1]) for key in fitting), f"{section}: {path} is {value!r}: {keys[fitting[0]]}"
        seen.update(fitting)
    always = {key for key, (_, kind) in keys.items() if "optional" not in kind and "null" not in kind}
    assert always <= seen, f"{section}: never printed: {sorted(always - seen)}"


def test_every_command_with_json_is_documented_and_tested():
    import typer

    from tlbench.cli.app import app

    commands = typer.main.get_command(app).commands
    with_json = {name for name, one in commands.items() if any("--json" in option.opts for option in one.params)}
    tested = {section.split()[1] for section, _ in CASES}
    assert with_json <= tested
    assert tested == {line.split()[2] for line in PAGE.splitlines() if line.startswith("## ")}
