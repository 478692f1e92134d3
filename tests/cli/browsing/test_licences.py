"""Everything that our plugins bring says its licence, and what lies in a distribution is listed in docs/licences.md."""

import json
from pathlib import Path

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.cli.app import _main

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "licences.md").read_text()
DATA = {".safetensors", ".bin", ".pt", ".pth", ".npy", ".npz", ".parquet", ".csv", ".tsv", ".gz", ".model", ".vocab"}


def test_every_backbone_and_task_says_its_licence(monkeypatch):
    monkeypatch.delenv("TLBENCH_PLUGINS", raising=False)
    catalog = Catalog.discover()
    ours = {plugin.distribution for plugin in catalog.plugins if plugin.distribution.startswith("tlbench-")}
    if not ours:
        pytest.skip("no plugin is installed")
    for entry in catalog.entries("task"):
        assert entry.distribution not in ours or entry.item.licence, entry.name
    for entry in catalog.entries("backbone"):
        assert entry.distribution not in ours or entry.item.card().licence, entry.name


def test_listings_have_a_column_of_licences(zoo, capsys):
    assert _main(["list", "tasks"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert "licence" in heading
    assert any("CC BY 4.0" in row for row in rows)
    assert _main(["list", "tasks", "--json"]) == 0
    tasks = {task["name"]: task for task in json.loads(capsys.readouterr().out)["tasks"]}
    assert tasks["zoo-tags"]["licence"] == "CC BY 4.0"


def test_weights_and_data_in_distributions_are_on_the_page():
    found = [path for path in ROOT.glob("plugins/*/src/**/*") if path.suffix in DATA and path.is_file()]
    assert {path.stem for path in found} >= {"fractal-resnet", "fractal-vit"}
    for path in found:
        assert f"`{path.stem}`" in PAGE, f"{path.relative_to(ROOT)} is in no line of docs/licences.md"
