"""The JSON of each command has exactly the keys and types that docs/json.md has."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.results.conftest import answers, cell
from tests.results.stored import committed
from tlbench.cli.app import _main
from tlbench.cli.finding.find_run import answer_json
from tlbench.finding.answering.answer import FindAnswer, FoundSetting, Interval, Optimistic, Spent, Untried
from tlbench.finding.answering.deciding_labels import DecidingLabels
from tlbench.finding.request import FindRequest

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
    ("tlbench plugin list", ["plugin list --json", "plugin doctor tlbench --json"]),
    ("tlbench plugin check", ["plugin check tlbench/toy-tone --json"]),
    ("tlbench plan", ["plan -t toy-tone -S toy-fit -b toy --out a --json"]),
    ("tlbench show NAME", ["show toy --json", "show toy-tune --json", "show toy-tone --json"]),
    ("tlbench show CELL", [f"show {cell(seeds=SEEDS).id} --out a --json"]),
    (
        "tlbench run",
        [
            "run -t toy-tone -S toy-fit -b toy --seeds 3 --executor inline --out ran --json",
            "run -t toy-tone -S toy-fit -b toy --seeds 1 --executor inline --out ran --json",
        ],
    ),
    ("tlbench status", ["status --out a --json"]),
    ("tlbench collect", ["collect --out a --json"]),
    ("tlbench check", ["check toy-tone --json"]),
    ("tlbench leaderboard", ["leaderboard --all --out a --json"]),
    ("tlbench compare", ["compare a b --json", "compare solved.txt other.txt --json"]),
    ("tlbench recommend", ["recommend --out a --json"]),
    ("tlbench merge", ["merge a b --out union --json"]),
    ("tlbench fetch", ["fetch -t toy-tone -b toy --json"]),
    ("tlbench delete", ["delete -S majority --out a --yes --json"]),
    ("tlbench cache", ["cache info --json", "cache prune --json", "cache limit 1GiB --json"]),
    ("tlbench verify", ["verify a b --json"]),
    ("tlbench submit", ["submit --out a --to packed --json"]),
    (
        "tlbench eval-results",
        [
            f"eval-results {cell(seeds=SEEDS).id} --out a --dataset nyu-mll/glue --json",
            f"eval-results {cell(seeds=SEEDS).id} --out a --dataset nyu-mll/glue --to model --json",
        ],
    ),
    ("tlbench find", ["find toy-tone -b toy -S toy-fit --executor inline --until accuracy>0 --out found --json"]),
]


@pytest.mark.parametrize(("section", "commands"), CASES)
def test_output_has_the_documented_keys(output, section, commands):
    Path("solved.txt").write_text("x\ny\n")
    Path("other.txt").write_text("y\nz\n")
    # An entry, so that the cache has a kind.
    Path("cache").mkdir(exist_ok=True)
    Path("cache", f"tokens-{0:032x}.safetensors").write_bytes(b"x" * 9)
    check_keys(section, [output(command, (0, 1)) for command in commands])


def test_what_is_made_of_a_winner_has_the_documented_keys(output):
    ran = output(
        "run -t toy-tone -S toy-tune -b toy --seeds 2 --trials 2 --keep-models best-seed --executor inline --json"
    )
    (winner,) = (row["cell"] for row in ran["cells"] if row["strategy"] == "toy-tune")
    check_keys("tlbench export", [output(f"export {winner} --to model --json")])
    Path("new.csv").write_text("text\ngood\nbad\n")
    for model in (winner, "./model"):
        predicted = output(f"predict {model} new.csv -o new-{Path(model).name}.csv --json")
        check_keys("tlbench predict", [predicted])
        assert (predicted["rows"], predicted["problems"]) == (2, 0)
    check_keys("tlbench map", [output(f"map {winner} --json")])
    check_keys("tlbench hpo", [output("hpo --export studies.journal --json")])


def test_a_new_plugin_has_the_documented_keys(output):
    pytest.importorskip("copier", reason="copier, which makes plugins of the template, is not installed")
    check_keys("tlbench plugin new", [output("plugin new strategy norm-only --json")])


def test_the_answer_of_a_search_has_the_documented_keys():
    scored = FoundSetting("toy", "toy-fit", {"lr": 0.1}, 0.8, 3.0, 9, test=Interval(0.7, 0.6, 0.8, "the strategy"))
    without = FoundSetting("", "majority", {}, 0.5, 1.0, None, reason="it is no finalist")
    request = FindRequest("toy-tone", 10.0, backbones=("toy",), until="accuracy>0.9")
    empty = FindAnswer(request, "accuracy", True, 100.0, 64, 32, None, None)
    whole = FindAnswer(
        request, "accuracy", True, 100.0, 64, 32, 9, scored, (without,), without, scored, without,
        DecidingLabels(32, "validation", 100, 50, None), "majority", Optimistic(0.1, None, 0.3, 4), 9.0, 3.0,
        (Spent("majority", 1, 0, 1.0, 0.5), Spent("toy", 1, 1, 1.0)), (Untried("x", "time"),), (Untried("y", "size"),),
        ("a note",), 0.9,
    )  # fmt: skip
    check_keys("tlbench find", [json.loads(answer_json(one)) for one in (empty, whole)])


def check_keys(section, outputs):
    """Checks that the section has every key of these outputs, with its type, and that each of its keys occurs."""
    keys = documented(section)
    found = [leaf for one in outputs for leaf in leaves(one)]
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
    tested = {section.split()[1] for section, _ in CASES} | {"find", "export", "predict", "map", "hpo"}
    # The command of the package tlbench-pretrain is tested there.
    assert with_json - {"pretrain"} <= tested
    assert tested | {"pretrain"} == {line.split()[2] for line in PAGE.splitlines() if line.startswith("## ")}
