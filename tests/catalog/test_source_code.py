"""Which edits of a plugin change the fingerprint of its code."""

import importlib
import json
import sys
from types import SimpleNamespace

import pytest

from tlbench.catalog.discovery import Plugin
from tlbench.catalog.source_code import _digest, code_fingerprint, development_packages

STRATEGY = '''\
"""A plugin."""
from fp_plugin import loops
from .rates import rate

class Method:
    """A method."""

    def fit(self):
        import fp_beside
        return rate + 1  # a comment
'''
FILES = {
    "fp_plugin/__init__.py": "",
    "fp_plugin/method.py": STRATEGY,
    "fp_plugin/rates.py": "rate = 1\n",
    "fp_plugin/loops.py": "import fp_plugin.deep.steps\nimport tlbench.testing\n",
    "fp_plugin/deep/steps.py": "steps = 1\n",
    "fp_plugin/unrelated.py": "y = 1\n",
    "fp_beside.py": "z = 1\n",
}


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """Returns a function that edits files of a plugin and returns the fingerprint of its class."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("fp_")]:
        monkeypatch.delitem(sys.modules, name)

    def of(**edits):
        for name, content in {
            **FILES,
            **{name.replace("__", "/") + ".py": text for name, text in edits.items()},
        }.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        importlib.invalidate_caches()
        _digest.cache_clear()
        return code_fingerprint(importlib.import_module("fp_plugin.method").Method, frozenset({"fp_plugin"}))

    yield of
    for name in [name for name in sys.modules if name.startswith("fp_")]:
        del sys.modules[name]


def test_code_that_a_strategy_runs_counts(digest):
    before = digest()
    assert before == digest()
    changed = {
        digest(fp_plugin__method=STRATEGY.replace("rate + 1", "rate + 2")),
        digest(fp_plugin__method=STRATEGY.replace("return rate", "if rate:\n            return rate")),
        digest(fp_plugin__rates="rate = 2\n"),
        digest(fp_plugin__deep__steps="steps = 2\n"),
        digest(fp_beside="z = 2\n"),
    }
    assert len(changed) == 5
    assert before not in changed


@pytest.mark.parametrize(
    "edits",
    [
        {"fp_plugin__method": STRATEGY.replace("# a comment", "# another")},
        {"fp_plugin__method": STRATEGY.replace("A method.", "A better method.")},
        {"fp_plugin__method": STRATEGY.replace("\n\n", "\n\n\n")},
        {"fp_plugin__unrelated": "y = 2\n"},
    ],
)
def test_comments_docstrings_blank_lines_and_other_modules_do_not_count(digest, edits):
    assert digest() == digest(**edits)


def test_source_that_cannot_be_read_as_python_counts_as_it_is(digest):
    before = digest()
    assert digest(fp_plugin__rates="rate = (\n") != before


def test_released_classes_have_no_fingerprint():
    from tlbench.testing.toys import ToyFit

    assert code_fingerprint(ToyFit, frozenset({"fp_plugin"})) == ""


def test_plugins_of_the_environment_and_editable_installs_are_in_development(tmp_path, monkeypatch):
    for name, origin in {
        "fp-editable": {"url": "file:///x", "dir_info": {"editable": True}},
        "fp-folder": {"url": "file:///x", "dir_info": {}},
        "fp-index": None,
    }.items():
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        if origin:
            (folder / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.syspath_prepend(str(tmp_path))

    def plugin(distribution, version, module):
        return Plugin(distribution, version, "p", SimpleNamespace(__name__=module))

    assert development_packages(
        [
            plugin("fp-editable", "1.0", "fp_editable.plugin"),
            plugin("fp-folder", "1.0", "fp_folder.plugin"),
            plugin("fp-index", "1.0", "fp_index"),
            plugin("fp-gone", "1.0", "fp_gone"),
            plugin("mine", "", "mine.methods"),
            plugin("tlbench", "", "tlbench.testing.toy_plugin"),
        ]
    ) == {"fp_editable", "mine"}
