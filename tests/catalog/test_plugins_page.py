"""What docs/plugins.md shows works as it stands there: every hook, each in a short example."""

from __future__ import annotations

import importlib
import logging
import re
import sys
from pathlib import Path

import pytest

from tests.catalog.test_discovery import HOOKS
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.loading.api_check import OWN
from tlbench.cli.app import _main
from tlbench.contracts.plugins.api_version import API_VERSION, text_of
from tlbench.system.version import VERSION
from tlbench.testing import conformance

TEXT = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
MOST_LINES = 20


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """The blocks of the page as modules that are loaded as plugins; yields the names of the modules with hooks."""
    names = []
    for number, block in enumerate(BLOCKS):
        title = re.match(r"# (\w+)\.py\n", block)
        name = title[1] if title else f"plugins_page_{number}"
        (tmp_path / f"{name}.py").write_text(block)
        monkeypatch.delitem(sys.modules, name, raising=False)
        if "hookimpl" in block:
            names.append(name)
    suites = tmp_path / "suites"
    suites.mkdir()
    (suites / "page.toml").write_text(
        'description = "d"\n[[cells]]\ntasks = ["shouting"]\nstrategies = ["toy-majority"]\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TLBENCH_PLUGINS", ",".join(["tlbench.testing.toy_plugin", *names]))
    monkeypatch.chdir(tmp_path)
    return names


def test_every_hook_has_a_short_example():
    shown = "\n".join(BLOCKS)
    assert [hook for hook in HOOKS.split(", ") if hook not in shown] == []
    headings = "\n".join(line for line in TEXT.splitlines() if line.startswith("### "))
    assert [hook for hook in HOOKS.split(", ") if hook not in headings] == []
    assert [block for block in BLOCKS if len([line for line in block.splitlines() if line.strip()]) > MOST_LINES] == []


def test_the_versions_on_the_page_are_those_of_this_tlbench():
    major, minor = VERSION.split(".")[:2]
    assert f'"{OWN}>={major}.{minor},<{major}.{int(minor) + 1}"' in TEXT
    assert f"here {text_of(API_VERSION)}: `tlbench_api = {API_VERSION}`" in TEXT


def test_every_example_is_loaded_and_keeps_its_contract(modules, tmp_path):
    catalog = Catalog.discover()
    assert not [broken for broken in catalog.broken if broken.plugin.rpartition("=")[2].partition(" ")[0] in modules]
    entries = [entry for entry in catalog.discovery.entries if entry.distribution in modules]
    assert {entry.kind for entry in entries} == {
        "backbone", "task", "strategy", "metric", "renderer", "executor", "policy", "suite",
    }  # fmt: skip
    for entry in entries:
        check = conformance.of(entry.item, entry.kind)()
        for name in ("test_name", "test_import_is_light", "test_declared_attributes", "test_names_exist"):
            getattr(check, name, lambda: None)()
    bag = conformance.of(catalog.backbone("bag").item)()
    encoder, data = bag.backbone.load(), bag.backbone.featurize(bag.examples(), bag.output)
    bag.test_every_cut(encoder, data.batch(range(len(data))))
    bag.test_padding_changes_nothing(encoder)
    bag.test_random_weights(encoder)
    bag.test_same_weights_at_each_load(encoder)
    conformance.of(catalog.task("shouting").item)().test_splits_are_deterministic(
        {name: split for name in ("train", "test") if (split := catalog.task("shouting").item.split(name))}
    )
    conformance.of(catalog.metric("half_price"))().test_weights_equal_repeated_examples()


def test_the_examples_make_a_table_together(modules, capsys, caplog):
    caplog.set_level(logging.INFO, "tracker")
    arguments = (
        "-t shouting -b bag -S norm-tuning --trials 1 --seeds 1 --max-steps 4 --no-baseline --executor direct --out out"
    )
    assert _main(["run", *arguments.split()]) == 0
    capsys.readouterr()
    assert _main("leaderboard -t shouting -b bag -S norm-tuning --out out -f lines".split()) == 0
    assert re.match(r"shouting\t.*\tbag\tnorm-tuning\t[\d.]+\t", capsys.readouterr().out)
    assert _main("leaderboard -t shouting --out out -f lines --columns strategy,cell".split()) == 0
    assert re.search(r"^shouting\tnorm-tuning\t'?[0-9a-f]+$", capsys.readouterr().out, re.MULTILINE)
    tracked = [record.getMessage() for record in caplog.records if record.name == "tracker"]
    assert any(text.startswith("bag | shouting | norm-tuning {") and "test_accuracy" in text for text in tracked)
    assert _main(["bill", "3"]) == 0
    assert capsys.readouterr().out == "7.50 EUR\n"
    assert _main("plan -t lines:absent -S toy-majority".split()) == 2
    assert "lines:absent: no such file" in capsys.readouterr().err
    Path("mine").write_text("x")
    assert _main("plan -t mine -S toy-majority".split()) == 2
    assert "lines:mine" in capsys.readouterr().err


def test_the_check_at_the_top_is_a_test_class(modules):
    name = next(f"plugins_page_{number}" for number, block in enumerate(BLOCKS) if "conformance.of" in block)
    made = importlib.import_module(name).TestParity
    made().test_metrics_fit_the_output()
    assert made.task.name == "parity"
