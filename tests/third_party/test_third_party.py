"""Distributions of others, built as wheels and installed into an environment without editable installs, are used."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from pathlib import Path

import pytest

from tests.third_party.clean_environment import ROOT, CleanEnvironment, uv

PROJECTS = ("recurrent-backbone", "review-files", "newton-probe", "forked-orders", "balanced-cost")
TOYS = "tlbench.testing.toy_plugin"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    if uv() is None:
        pytest.skip("uv, which installs the wheels, is not here")
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the wheels, is not installed")
    made = CleanEnvironment(tmp_path_factory.mktemp("third-party"))
    made.install(ROOT)
    # Before there are any plugins.
    alone = made.tlbench("plugin", "list")
    assert "no plugin is installed" in alone.stdout, alone
    assert "pip install tlbench-hf tlbench-glue" in alone.stdout
    missing = made.tlbench("run", "-t", "sst2-lite", "-b", "minilm-l6", "-S", "linear-probe")
    assert missing.returncode == 2
    assert "pip install tlbench-glue" in missing.stderr, missing.stderr
    made.install(*(Path(__file__).parent / project for project in PROJECTS))
    return made


@pytest.mark.timeout(900)
def test_each_distribution_is_listed_with_what_it_brings(environment):
    done = environment.tlbench("plugin", "list", "--json")
    plugins = {one["name"]: one for one in json.loads(done.stdout)["plugins"]}
    assert {*plugins} == {"tlbench", *PROJECTS}
    assert not [one for one in plugins.values() if one["broken"] or one["problems"]]
    assert {name: one["brings"] for name, one in plugins.items() if name != "tlbench"} == {
        "recurrent-backbone": {"backbone": 1},
        "review-files": {"task": 1, "suite": 1},
        "newton-probe": {"strategy": 1},
        "forked-orders": {"executor": 1},
        "balanced-cost": {"metric": 1, "renderer": 1, "policy": 1},
    }
    assert plugins["balanced-cost"]["hooks"] == ["observer", "1 command"]
    assert plugins["review-files"]["hooks"] == ["names with a scheme"]
    # By its requirement, since its module says nothing.
    assert plugins["review-files"]["api"] == "<0.2,>=0.1"
    assert (plugins["newton-probe"]["api"], plugins["newton-probe"]["version"]) == ("1.0", "2.3.1")
    # Everything comes from the environment itself.
    module = environment.run("-c", "import tlbench; print(tlbench.__file__)").stdout
    assert str(environment.folder) in module
    assert environment.tlbench("plugin", "doctor").returncode == 0


@pytest.mark.timeout(900)
def test_a_suite_of_a_plugin_runs_the_objects_of_the_others(environment):
    log = environment.folder / "observed"
    done = environment.tlbench(
        "run", "--suite", "reviews", "--executor", "forked-orders", "--jobs", 2, "--out", "results",
        BALANCED_COST_LOG=str(log),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    board = environment.tlbench("leaderboard", "--all", "--out", "results", "--format", "csv").stdout
    (row,) = csv.DictReader(io.StringIO(board))
    assert (row["task"], row["strategy"], row["status"]) == ("shop-reviews", "newton-probe", "ok")
    # Both classes of the test split have as many reviews.
    assert float(row["value"]) == pytest.approx(1 - float(row["metric.accuracy"]))
    assert (row["metric"], row["greater_is_better"]) == ("balanced_cost", "False")
    # The observer saw the cell and its fits: two trials and a final one.
    assert "recurrent | shop-reviews | newton-probe ok 3" in log.read_text()
    plain = environment.tlbench("leaderboard", "--all", "--out", "results", "--format", "plain-lines")
    assert plain.stdout.startswith("shop-reviews\t"), plain
    assert environment.tlbench("cost-of", "7").stdout == "0.07\n"


@pytest.mark.timeout(900)
def test_files_are_named_by_the_scheme_of_a_plugin(environment):
    blocks = [f"Stars: {5 if i % 2 else 1}\n\nit was {('bad', 'fine')[i % 2]} {i}\n%%\n" for i in range(30)]
    (environment.folder / "home" / "mine.reviews").write_text("".join(blocks))
    planned = environment.tlbench(
        "plan", "-t", "reviews:mine.reviews", "-b", "recurrent", "-S", "newton-probe", "--cells"
    )
    assert "reviews:mine.reviews recurrent newton-probe" in " ".join(planned.stdout.split()), planned
    absent = environment.tlbench("plan", "-t", "reviews:none", "-b", "recurrent", "-S", "newton-probe")
    assert (absent.returncode, absent.stderr) == (2, "tlbench: reviews:none: no such file\n")


@pytest.mark.timeout(900)
def test_each_distribution_passes_its_checks(environment):
    done = environment.tlbench("plugin", "check", *PROJECTS, "--json")
    checks = json.loads(done.stdout)["checks"]
    assert done.returncode == 0, [one for one in checks if one["result"] == "failed"]
    passed = {(one["distribution"], one["kind"]) for one in checks if one["result"] == "passed"}
    assert passed >= {
        ("recurrent-backbone", "backbone"), ("review-files", "task"), ("review-files", "suite"),
        ("newton-probe", "strategy"), ("forked-orders", "executor"), ("balanced-cost", "metric"),
        ("balanced-cost", "renderer"), ("balanced-cost", "policy"), ("balanced-cost", "command"),
        *((project, "plugin") for project in PROJECTS),
    }  # fmt: skip
    # What the backbone refuses by `supports` is skipped with its reason, and is no failure.
    refused = [one for one in checks if "it reads characters" in one["reason"]]
    assert {one["check"] for one in refused} >= {"word_alignment", "words_can_be_learnt", "span_alignment"}
    assert {one["result"] for one in refused} == {"skipped"}
