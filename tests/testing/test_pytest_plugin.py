from __future__ import annotations

import os
import subprocess
import sys

TEST = """
import os
import sys
from pathlib import Path

def test_light(tlbench_toy_backbone, tlbench_toy_task, tlbench_out):
    assert tlbench_toy_backbone.name == "toy"
    assert len(tlbench_toy_task.split("test")) == 32
    assert not tlbench_out.exists()
    assert not {"torch", "optuna", "transformers"} & set(sys.modules)


def test_the_cache_of_activations_is_not_the_users(tmp_path_factory):
    folder = Path(os.environ["TLBENCH_CACHE"])
    assert folder.is_relative_to(tmp_path_factory.getbasetemp())
    assert not folder.exists()
"""


def test_fixtures_come_with_the_package_and_are_light(tmp_path):
    (tmp_path / "test_author.py").write_text(TEST)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    # The other plugins of this environment are not what is tested.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:hypothesispytest",
        "-p",
        "no:cacheprovider",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_toys_are_found_only_where_they_are_asked_for(tlbench_toys):
    from tlbench.catalog.catalog import Catalog

    assert "toy" in {entry.name for entry in Catalog.discover().entries("backbone")}
