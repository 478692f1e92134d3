"""The example scripts run as they stand, on backbones that come with plugins, with fewer steps."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path

import pytest

import tlbench
from tests.tools.docs_site.page_reader import quick_run

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "examples"
BACKBONES = {
    "reviews": "minilm-l3",
    "photographs": "fractal-vit",
    "entities": "minilm-l3",
    "sentence_pairs": "minilm-l3",
    "new_last_layer": "fractal-resnet",
}
MOST_LINES = 60


@pytest.mark.parametrize("name", BACKBONES)
def test_an_example_runs(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TLBENCH_OUT", raising=False)
    monkeypatch.chdir(tmp_path)
    results = []

    def run(**arguments):
        results.append(quick_run(**{**arguments, "trials": 1, "seeds": 1, "baselines": False}))
        return results[0]

    monkeypatch.setattr(tlbench, "run", run)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", BACKBONES[name]])
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    (result,) = results
    assert [record.status for record in result.records] == ["ok"] * len(result.records)
    assert "linear-probe" in capsys.readouterr().out


def test_every_example_is_run_and_named_on_the_page():
    names = {path.stem for path in FOLDER.glob("*.py")}
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert names == {*BACKBONES}
    assert all(f"({name}.py)" in page and f"`{BACKBONES[name]}`" in page for name in names)


@pytest.mark.parametrize("name", BACKBONES)
def test_an_example_is_short_and_says_how_it_is_run(name):
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < MOST_LINES
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert f"python {name}.py " in docstring
    assert f"python {name}.py {BACKBONES[name]}" in docstring
