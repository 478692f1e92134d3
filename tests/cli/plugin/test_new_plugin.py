"""`tlbench plugin new` makes packages that are right as they are, and `copier update` brings later changes."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tlbench.cli.app import _main
from tlbench.cli.plugin.new_plugin import TEMPLATE
from tlbench.contracts.plugins.api_version import API_VERSION
from tlbench.system.version import VERSION

copier = pytest.importorskip("copier", reason="copier, which makes plugins of the template, is not installed")

ROOT = Path(__file__).parents[3]
KINDS = ("backbone", "task", "strategy", "metric", "output", "executor", "renderer", "policy", "suite")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Returns a function that makes a plugin and puts its package on the path."""
    monkeypatch.chdir(tmp_path)

    def make(kind, name="new-thing"):
        folder = tmp_path / f"tlbench-{name}"
        assert _main(["plugin", "new", kind, name, "--author", 'Ada "L" <ada@example.org>']) == 0
        monkeypatch.syspath_prepend(folder / "src")
        return folder

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_a_package_that_tlbench_loads(made, monkeypatch, capsys, kind):
    name = f"new-{kind}"
    folder = made(kind, name)
    assert "tlbench run" in capsys.readouterr().out or kind == "policy"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["authors"] == [{"name": 'Ada "L" <ada@example.org>'}]
    major, minor = VERSION.split(".")[:2]
    assert project["dependencies"][0] == f"tlbench>={major}.{minor},<{major}.{int(minor) + 1}"
    module = project["entry-points"]["tlbench"][name]
    monkeypatch.setenv("TLBENCH_PLUGINS", module)
    assert importlib.import_module(module).tlbench_api == API_VERSION
    from tlbench.catalog.catalog import Catalog

    catalog = Catalog.discover()
    assert not [one for one in catalog.broken if module in one.plugin]
    brought = {(one.kind, one.name) for one in catalog.discovery.entries if one.distribution == module.split(".")[0]}
    expected = {"metric": "new_metric", "output": "new-output-example"}.get(kind, name)
    assert ({"output": "task"}.get(kind, kind), expected) in brought
    # What nobody asked for is not there, and no placeholder is left.
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert not [path for path in files if re.search(r"\{\{(?! matrix)|\{%", path.read_text().replace("${{", ""))]
    assert len([path for path in files if path.suffix == ".py" and "src" in path.parts]) <= 5
    for needed in (
        "README.md",
        "LICENSE",
        ".github/workflows/ci.yml",
        ".copier-answers.yml",
        "tests/test_conformance.py",
    ):
        assert (folder / needed).is_file()
    assert "badge.svg" in (folder / "README.md").read_text()


def run_in(folder, *command, **variables):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{folder / 'src'}", **variables}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("kind", ["task", "policy"])
def test_its_tests_pass_at_once(made, kind):
    done = run_in(made(kind), "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " failed" not in done.stdout
    assert re.search(r"\d+ passed", done.stdout)


@pytest.mark.parametrize("kind", ["metric", "output"])
def test_the_command_checks_it_as_its_tests_do(made, kind):
    module = "tlbench_new_thing"
    done = run_in(made(kind), "tlbench", "plugin", "check", module, TLBENCH_PLUGINS=f"{module}.plugin")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "steps off" in done.stdout or "steps_off" in done.stdout or kind == "metric"


def test_the_code_is_as_ruff_wants_it(made, tmp_path):
    for kind in KINDS:
        made(kind, f"new-{kind}")
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "."]
    done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["Norm", "norm_only", "-x", "x--y", "../x", "x;y", "é", ""])
def test_an_invalid_name_is_one_line(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    assert _main(["plugin", "new", "task", "--", name]) == 2
    assert "is no name: give small letters, digits and single hyphens" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_left_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tlbench-x").mkdir()
    (tmp_path / "tlbench-x" / "mine").write_text("mine")
    assert _main(["plugin", "new", "task", "x"]) == 2
    assert capsys.readouterr().err == "tlbench: tlbench-x exists and is not empty: give another folder with --to\n"
    assert [path.name for path in (tmp_path / "tlbench-x").iterdir()] == ["mine"]


def test_a_template_that_is_none_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert _main(["plugin", "new", "task", "x", "--template", str(tmp_path / "none")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"tlbench: the template {tmp_path / 'none'} cannot be used: ")
    assert error.count("\n") == 1


def test_without_copier_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "copier", None)
    assert _main(["plugin", "new", "task", "x"]) == 2
    assert capsys.readouterr().err.endswith("pip install 'tlbench[plugin]'\n")
    assert not list(tmp_path.iterdir())


def git(folder, *arguments):
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder, message):
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)


def test_copier_alone_makes_and_updates_a_plugin_from_a_repository_with_tags(tmp_path):
    """The repository has tlbench's own layout: its `copier.yml` leads to the template inside the package."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    source, plugin = tmp_path / "source", tmp_path / "plugin"
    inside = source / TEMPLATE.relative_to(ROOT)
    shutil.copytree(TEMPLATE, inside)
    shutil.copy(ROOT / "copier.yml", source)
    git(tmp_path, "init", "-q", str(source))
    commit(source, "first")
    git(source, "tag", "v0.1.0")
    data = {"kind": "task", "name": "my-reviews", "author": "Ada"}
    copier.run_copy(str(source), plugin, data=data, defaults=True, quiet=True)
    answers = (plugin / ".copier-answers.yml").read_text()
    assert "_commit: v0.1.0" in answers
    assert (plugin / "src" / "tlbench_my_reviews" / "task.py").is_file()
    git(tmp_path, "init", "-q", str(plugin))
    # The author's own change, which must survive.
    module = plugin / "src" / "tlbench_my_reviews" / "task.py"
    module.write_text(module.read_text().replace('description = "', 'description = "by the author: '))
    commit(plugin, "mine")
    ignored = inside / "project" / ".gitignore"
    ignored.write_text(ignored.read_text() + "*.orig\n")
    commit(source, "second")
    git(source, "tag", "v0.2.0")
    copier.run_update(plugin, defaults=True, overwrite=True, quiet=True)
    assert "*.orig" in (plugin / ".gitignore").read_text()
    assert "by the author: " in module.read_text()
    assert "_commit: v0.2.0" in (plugin / ".copier-answers.yml").read_text()
    assert not list(plugin.rglob("*.rej"))
