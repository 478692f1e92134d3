"""The command line: the user's mistakes are one line and exit status 2, and what only looks imports nothing heavy."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tlbench.cli.app import _main
from tlbench.results.records.store import Store

SUITE = """
[protocol]
trials = 2
seeds = 2
[[cells]]
tasks = ["toy-tone", "toy-count"]
backbones = ["toy"]
strategies = ["toy-fit"]
[[cells]]
tasks = ["toy-tone", "toy-count"]
strategies = ["toy-majority"]
"""
PLUGINS = "tlbench.testing.toy_plugin,tlbench.testing.faults"
HEAVY = {"torch", "transformers", "timm", "optuna", "evaluate", "sklearn"}


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", PLUGINS)
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "toys.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def tlbench():
    return lambda *arguments: _main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """The folder of a run of the suite, for tests to copy."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "toys.toml").write_text(SUITE)
    arguments = ["run", "--suite", str(folder / "toys.toml"), "--executor", "inline", "--out", str(folder / "out")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLBENCH_PLUGINS", PLUGINS)
        assert _main(arguments) == 0
    return folder / "out"


@pytest.fixture
def done(finished_run, out):
    return shutil.copytree(finished_run, out)


def test_runs_shows_and_has_nothing_left_to_do(tlbench, suite, out, capsys):
    assert tlbench("run", "--suite", suite, "--executor", "inline", "--out", out) == 0
    first = capsys.readouterr().out
    assert "[4/4]" in first
    assert "4 of 4 cells" in first
    before = sorted((out / "records").iterdir())
    assert tlbench("run", "--suite", suite, "--out", out) == 0
    assert "nothing left to run" in capsys.readouterr().out
    assert sorted((out / "records").iterdir()) == before


def test_the_leaderboard_says_n_of_N_during_a_run(tlbench, done, suite, capsys):
    store = Store.open(done)
    next((done / "records").glob("*.json")).unlink()
    assert tlbench("leaderboard", "--out", done) == 0
    assert "3 of 4" in capsys.readouterr().out
    assert store.plan() is not None


def test_what_is_recorded_is_shown_where_its_data_are_not(tlbench, done, suite, monkeypatch, capsys):
    from tlbench.testing.toys import ToyTask

    capsys.readouterr()
    shown = []
    for missing in (None, "no such file"):
        monkeypatch.setattr(ToyTask, "missing", lambda self, missing=missing: missing)
        assert tlbench("leaderboard", "--suite", suite, "--out", done, "-f", "csv") == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    # The plan skips the tasks, as the other command shows, so an empty table would be equal too.
    assert shown[1].count("toy-fit") == 2
    assert tlbench("plan", "--suite", suite, "--out", done) == 0
    assert "no such file" in capsys.readouterr().out


@pytest.mark.parametrize("format_", ["markdown", "csv", "svg"])
def test_other_formats_are_the_same_bytes_twice(tlbench, done, capsys, format_):
    capsys.readouterr()
    tlbench("leaderboard", "--out", done, "--format", format_)
    first = capsys.readouterr().out
    tlbench("leaderboard", "--out", done, "--format", format_)
    assert capsys.readouterr().out == first
    assert "toy-majority" in first


def test_a_failing_cell_is_exit_status_1_and_is_in_the_table(tlbench, out, monkeypatch, capsys):
    arguments = ("run", "-t", "toy-tone", "-b", "toy", "-S", "toy-failing", "-S", "toy-fit", "--executor", "inline")
    assert tlbench(*arguments, "--out", out) == 1
    captured = capsys.readouterr()
    assert "fails on purpose" in captured.err
    assert "failed" in captured.out
    failed = next(record for record in Store.open(out).records() if record.status == "failed")
    assert f"`tlbench show {failed.cell.id} --out {out}` says why" in captured.err
    assert tlbench("show", failed.cell.id, "--out", out) == 0
    assert "RuntimeError" in capsys.readouterr().out
    # With the folder as the default, the command to copy needs no --out.
    monkeypatch.setenv("TLBENCH_OUT", str(out))
    assert tlbench(*arguments) == 1
    assert f"`tlbench show {failed.cell.id}` says why" in capsys.readouterr().err


MISTAKES = [
    (["run", "--suite", "toyz"], "unknown suite 'toyz'"),
    (["run", "-t", "toy-tone", "-S", "toy-fitt", "-b", "toy"], "did you mean toy-fit"),
    (
        ["run", "-t", "toy-tune", "-S", "toy-fit", "-b", "toy"],
        "unknown task 'toy-tune'; it is a strategy: give it with --strategy; did you mean toy-tone",
    ),
    (["run", "-t", "toy-tone", "-S", "toy-fit", "-b", "toyy"], "unknown backbone 'toyy'"),
    (["run", "-t", "toy-tone", "-S", "toy-fit"], "needs a backbone"),
    (["run"], "nothing to run: give --suite NAME, or --task and --strategy"),
    (["run", "-t", "toy-tone", "-b", "toy"], "nothing to run: --task is given without --strategy; give it too"),
    (["plan", "-S", "toy-fit"], "nothing to run: --strategy is given without --task; give it too, or --suite NAME"),
    (["run", "--suite", "SUITE", "--trials", "-1"], "--trials"),
    (["run", "--suite", "SUITE", "--seeds", "a"], "--seeds a"),
    (["run", "--suite", "SUITE", "--max-seconds", "0"], "--max-seconds 0"),
    (["run", "--suite", "SUITE", "--device", "gpu"], "--device gpu"),
    (["run", "--suite", "SUITE", "--epochs", "inf"], "--epochs inf"),
    (["run", "--suite", "SUITE", "--executor", "slurmm"], "unknown executor"),
    (["run", "--suite", "BROKEN"], "protocol.trials: expected int, got str"),
    (["run", "--suite", "no/such.toml"], "no such file"),
    (["run", "--suite", "SUITE", "--out", "FILE/out"], "cannot be written"),
    (["run", "--suite", "SUITE", "--out", "OTHER"], "results of format 999"),
    (["leaderboard", "--out", "OTHER"], "results of format 999"),
    (["leaderboard", "--out", "NOTHING"], "no results here yet"),
    (["run", "-t", "toy-tone[trainz=3]", "-S", "toy-majority"], "no parameter 'trainz'"),
    (["run", "-t", "toy-tone[train=x]", "-S", "toy-majority"], "train=x"),
    (["show", "nothing-of-this-name"], "unknown name"),
    (["nope"], "nope"),
    (["run", "--nope"], "--nope"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(a) for a, _ in MISTAKES])
def test_the_users_mistake_is_one_line_and_exit_status_2(tlbench, suite, tmp_path, capsys, arguments, message):
    (tmp_path / "FILE").write_text("")
    (tmp_path / "BROKEN.toml").write_text(SUITE.replace("trials = 2", "trials = 'two'"))
    (tmp_path / "OTHER").mkdir()
    (tmp_path / "OTHER" / "tlbench.json").write_text(json.dumps({"format": 999}))
    names = {"SUITE": suite, "BROKEN": tmp_path / "BROKEN.toml", "OTHER": tmp_path / "OTHER"}
    names |= {"FILE/out": tmp_path / "FILE" / "out", "NOTHING": tmp_path / "NOTHING"}
    given = [str(names.get(argument, argument)) for argument in arguments]
    if "run" in given and "--out" not in given:
        given += ["--out", str(tmp_path / "unused")]
    assert tlbench(*given) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("tlbench: ")


def test_a_plugin_that_exits_at_import_leaves_list_working_and_is_named(tlbench, tmp_path, monkeypatch, capsys):
    (tmp_path / "exits_at_import.py").write_text("raise SystemExit('no licence')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TLBENCH_PLUGINS", "exits_at_import,tlbench.testing.toy_plugin")
    assert tlbench("list") == 0
    captured = capsys.readouterr()
    assert "toy-tone" in captured.out
    assert "exits_at_import" in captured.err
    assert "no licence" in captured.err
    for line in ("show diff-pruning", "show gone:diff-pruning", "plan -t toy-tone -S gone:diff-pruning"):
        assert tlbench(*line.split()) == 2
        error = capsys.readouterr().err
        assert "diff-pruning'" in error
        assert "(a plugin failed to load: TLBENCH_PLUGINS=exits_at_import; `tlbench plugin doctor` says why)" in error


def test_a_broken_plugin_is_listed_with_the_line_that_raised(tlbench, tmp_path, monkeypatch, capsys):
    (tmp_path / "raises_at_import.py").write_text("\n1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TLBENCH_PLUGINS", "raises_at_import")
    assert tlbench("list", "plugins") == 0
    where = f"{tmp_path / 'raises_at_import.py'}:2"
    assert capsys.readouterr().err.endswith(f"ZeroDivisionError: division by zero ({where})\n")


def test_a_task_whose_output_raises_leaves_list_working_and_is_named(tlbench, monkeypatch, capsys):
    from tlbench.testing.toys import ToyTask

    monkeypatch.setattr(ToyTask, "output", property(lambda self: 1 / 0))
    assert tlbench("list", "tasks") == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert "toy-tone failed: ZeroDivisionError: division by zero" in listed
    assert "toy-count text scalar" in listed


def test_a_record_that_cannot_be_read_back_is_exit_status_1(tlbench, suite, out, monkeypatch, capsys):
    commit = Store.commit

    def damaged(self, record, work):
        stored = commit(self, record, work)
        if record.cell.title == "toy | toy-tone | toy-fit":
            path = next((out / "records").glob(f"{record.cell.id}*.json"))
            path.unlink()
            path.write_text("{}")
        return stored

    monkeypatch.setattr(Store, "commit", damaged)
    assert tlbench("run", "--suite", suite, "--executor", "inline", "--out", out) == 1
    assert f"1 of 4 cells have no record in {out} that can be read" in capsys.readouterr().err


def test_a_backbone_whose_card_raises_leaves_list_working_and_is_named(tlbench, monkeypatch, capsys):
    from tlbench.testing.toys import ToyBackbone

    def card(self):
        raise RuntimeError("no such table")

    monkeypatch.setattr(ToyBackbone, "card", card)
    assert tlbench("list") == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert "card() failed: RuntimeError: no such table" in listed
    assert "toy-tone" in listed


def test_damaged_predictions_cost_the_paired_test_and_not_the_table(tlbench, done, capsys):
    for path in (done / "records").glob("*.parquet"):
        path.write_bytes(path.read_bytes()[:100])
    assert tlbench("leaderboard", "--out", done, "-f", "csv") == 0
    table = capsys.readouterr().out
    assert table.count("toy-fit") == 2
    assert "paired test" not in table


def test_what_only_looks_imports_nothing_heavy(suite, done):
    commands = [
        ["--help"], ["list"], ["plan", "--suite", str(suite)], ["plan", "--suite", "glue-lite"], ["version"],
        ["leaderboard", "--out", str(done)], ["show", "toy"], ["check", "toy-tone"],
    ]  # fmt: skip
    # One interpreter for all: what one command imports is named with it, and those after it.
    code = (
        "import sys; from tlbench.cli.app import _main\n"
        f"for arguments in {commands!r}:\n"
        f"    print('\\nended:', arguments[0], _main(arguments), *sorted({HEAVY!r} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ended = [line.removeprefix("ended: ") for line in finished.stdout.splitlines() if line.startswith("ended: ")]
    # Exit status 2, an unknown suite, where tlbench-glue is not installed.
    ended[3] = ended[3].replace("plan 2", "plan 0")
    assert ended == [f"{arguments[0]} 0" for arguments in commands]


def test_hostile_names_reach_no_terminal(tlbench, done, capsys):
    store = Store.open(done)
    path = next((done / "records").glob("*.json"))
    text = path.read_text().replace('"reason":""', '"reason":"\\u001b]0;owned\\u0007[red]x[/nope]"')
    path.unlink()
    text = re.sub(r'"digest":"[0-9a-f]{32}",', "", text).replace('"status":"ok"', '"status":"failed"')
    path.write_text(text)
    assert len(list(store.records())) == 4, "it is still a valid record"
    capsys.readouterr()
    assert tlbench("leaderboard", "--out", done) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[red]x[/nope]" in shown


def test_an_interrupted_run_says_that_nothing_is_lost(tlbench, suite, out, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("tlbench.cli.run.run_plan", interrupted)
    assert tlbench("run", "--suite", suite, "--out", out) == 130
    assert "nothing finished is lost" in capsys.readouterr().err


def test_the_module_runs_as_the_command(suite):
    command = [sys.executable, "-m", "tlbench", "version"]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert finished.stdout.startswith("tlbench ")


def test_a_cell_that_cannot_be_run_is_named_and_the_others_run(tlbench, suite, out, tmp_path, capsys):
    assert tlbench("plan", "--suite", suite, "--cells", "--out", out) == 0
    cell = next(line.split()[3] for line in capsys.readouterr().out.splitlines() if "toy-majority" in line)
    (Store.create(out).root / "work" / f"{cell}.1").symlink_to(tmp_path)
    assert tlbench("run", "--suite", suite, "--executor", "inline", "--out", out) == 1
    assert "not run: - | toy-tone | toy-majority: " in capsys.readouterr().err
    assert len(list(Store.open(out).records())) == 3


def test_a_run_of_skips_alone_says_so(tlbench, out, monkeypatch, capsys):
    from tlbench.testing.toys import ToyBackbone

    monkeypatch.setattr(ToyBackbone, "missing", lambda self: "the weights are gone")
    assert tlbench("run", "-t", "toy-tone", "-b", "toy", "-S", "toy-fit", "--no-baseline", "--out", out) == 0
    captured = capsys.readouterr()
    assert "skipped: toy | toy-tone | toy-fit: the weights are gone" in captured.err
    assert "nothing to run: all combinations are skipped" in captured.out
