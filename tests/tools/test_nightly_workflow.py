"""The nightly workflow: pinned actions, no more rights than needed, and the script that opens an issue."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "nightly.yml").read_text())
GH = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> "$CALLS"
case "$1 $2" in
    "issue list") printf '%s' "$OPEN" ;;
    *) cat "${@: -1}" >> "$BODY" ;;
esac
"""


def test_every_action_is_pinned_to_a_commit():
    used = [step["uses"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "uses" in step]
    assert len(used) >= 7
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action


def test_the_job_on_our_own_machine_can_write_nothing_and_runs_no_pull_request():
    assert WORKFLOW["permissions"] == {}
    # YAML reads the key "on" as true.
    assert set(WORKFLOW[True]) == {"schedule", "workflow_dispatch"}
    rights = {name: job["permissions"] for name, job in WORKFLOW["jobs"].items()}
    assert rights["night"] == {"contents": "read"}
    assert [name for name, given in rights.items() if given.get("issues") == "write"] == ["issue"]
    assert [name for name, given in rights.items() if given.get("pages") == "write"] == ["pages"]


@pytest.fixture
def issue(tmp_path):
    """Returns a function that runs the script with a stand-in for gh, and returns its calls and the text it sent."""
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)

    def run(open_issue, text):
        if text is not None:
            (tmp_path / "issue.md").write_text(text)
        environment = {
            **os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls"),
            "BODY": str(tmp_path / "body"), "OPEN": open_issue, "RUN": "https://example.org/run/1",
        }  # fmt: skip
        subprocess.run([ROOT / ".ci" / "nightly-issue", tmp_path / "issue.md"], env=environment, check=True)
        return (tmp_path / "calls").read_text().splitlines(), (tmp_path / "body").read_text()

    return run


def test_a_regression_opens_an_issue(issue):
    calls, body = issue("", "Two rows are worse.\n")
    assert calls[-1].startswith("issue create --title nightly: regression")
    assert body == "Two rows are worse.\n\nhttps://example.org/run/1\n"


def test_an_open_issue_gets_a_comment(issue):
    calls, _ = issue("17", "Two rows are worse.\n")
    assert calls[-1].startswith("issue comment 17")
    assert not any("issue create" in call for call in calls)


def test_a_cell_without_a_score_has_no_text_of_its_own(issue):
    assert issue("", None)[1].startswith("A cell has no score.")
