"""The fixtures of all tests that restore torch's number of threads."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import sys
from types import SimpleNamespace

import pytest

# A stand-in, since importing torch takes seconds.
NUMBER = [1]
sys.modules["torch"] = SimpleNamespace(
    get_num_threads=lambda: NUMBER[0], set_num_threads=lambda number: NUMBER.__setitem__(0, number)
)


@pytest.fixture(scope="module")
def changed():
    NUMBER[0] = 2


def test_first_changes_it():
    NUMBER[0] = 3


def test_then_it_is_back():
    assert NUMBER == [1]


def test_a_fixture_of_the_module_changes_it(changed):
    NUMBER[0] = 3


def test_then_it_is_what_the_fixture_made_it():
    assert NUMBER == [2]
"""
AFTER = """
import sys


def test_the_next_module_has_the_first_number():
    assert sys.modules["torch"].get_num_threads() == 1
"""


def test_no_test_and_no_module_leaves_another_number(tmp_path: Path) -> None:
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_a.py").write_text(TESTS)
    (tmp_path / "test_b.py").write_text(AFTER)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir=."]
    done = subprocess.run([*command, "."], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
