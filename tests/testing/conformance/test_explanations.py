"""Every conformance check says why it matters and how to mend what it finds, and pytest shows it where one fails."""

import inspect
import subprocess
import sys

import pytest

from tlbench.testing import conformance
from tlbench.testing.conformance.advice.explanation import _BY_CLASS, explanation
from tlbench.testing.conformance.modules.one_line import CHECKS

CLASSES = (*CHECKS.values(), conformance.FolderRendererConformance)
TESTS = [(one, name) for one in CLASSES for name, _ in inspect.getmembers(one, callable) if name.startswith("test_")]


@pytest.mark.parametrize(("checks", "name"), TESTS, ids=lambda value: getattr(value, "__name__", value))
def test_every_check_is_explained(checks, name):
    found = explanation(checks, name)
    assert found is not None
    assert all(part.endswith(".") and len(part) > 15 for part in (found.holds, found.why, found.mend))


def test_no_explanation_is_of_a_check_that_is_gone():
    methods = {(base.__name__, name) for one in CLASSES for base in one.__mro__ for name in dir(one)}
    assert not {(cls, name) for cls, advice in _BY_CLASS.items() for name in advice} - methods


def test_a_public_method_of_a_class_of_checks_is_a_check_or_documented_to_override():
    helpers = {"examples", "rehearsal", "answers", "right", "wrong", "shown", "rendered", "started", "read"}
    fixtures = {"encoder", "batch", "shared", "splits"}
    for one in CLASSES:
        public = {name for name, _ in inspect.getmembers(one, callable) if not name.startswith("_")}
        assert {name for name in public if not name.startswith("test_")} <= helpers | fixtures, one


TEST = """
from tlbench import Task, Classes, Example, Examples
from tlbench.testing import conformance

class Leaky(Task):
    name, modality, output, metrics = "Leaky Name", "text", Classes(("no", "yes")), ("accuracy",)

    def split(self, name):
        return None if name in ("validation", "unlabeled") else Examples(
            Example(f"{name}-{n}", (f"text {n}",), n % 2) for n in range(4))

TestLeaky = conformance.of(Leaky())
"""


def test_what_fails_is_followed_by_what_holds_why_and_how_to_mend_it(tmp_path):
    (tmp_path / "test_leaky.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "test_leaky.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 failed" in done.stdout, done.stdout
    assert "train and test share 4 inputs" in done.stdout
    assert "must hold: No input occurs twice, neither in one labelled split nor in two." in done.stdout
    assert "why:       A test example that was trained on makes every score too high." in done.stdout
    assert "to mend:   Drop repeated inputs before splitting" in done.stdout
