"""`make audit`: what it finds, and that it never says that nothing was found where nothing was looked up."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tools import audit

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Stands in for pip-audit and cyclonedx-py; `answer` is what pip-audit finds or says."""

    class Run:
        answer: object = ()
        error = ""

        def __call__(self, command):
            if "cyclonedx_py" in command:
                Path(command[-1]).write_text(json.dumps({"components": [{}, {}]}))
                return subprocess.CompletedProcess(command, 0, "", "")
            text = "" if self.error else json.dumps({"dependencies": list(self.answer)})
            return subprocess.CompletedProcess(command, 1, text, self.error)

    monkeypatch.setattr(audit, "ROOT", tmp_path)
    monkeypatch.setattr(audit, "SBOM", tmp_path / "build" / "sbom.json")
    return Run()


FINE = {"name": "fine", "version": "1.0", "vulns": []}
WEAK = {"name": "weak", "version": "2.0", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("answer", "statuses", "said"),
    [
        ([FINE], (0, 0), "0 known vulnerabilities of 1 packages"),
        ([FINE, WEAK], (1, 1), "weak 2.0: CVE-1, fixed in 2.1"),
        ([FINE, UNKNOWN], (0, 1), "of 1 packages; not looked up: unknown"),
        ([UNKNOWN, UNKNOWN], (0, 1), "skipped: the database of vulnerabilities cannot be reached: it knows none of 2"),
    ],
)
def test_what_was_found(run, capsys, answer, statuses, said):
    run.answer = answer
    assert (audit.main([], run), audit.main(["--strict"], run)) == statuses
    printed = capsys.readouterr()
    assert said in printed.out + printed.err
    assert "SBOM: 2 components in build/sbom.json" in printed.out


def test_without_an_answer(run, capsys):
    run.error = "x\nrequests.exceptions.ConnectionError: no route"
    assert (audit.main([], run), audit.main(["--strict"], run)) == (0, 1)
    assert "pip-audit: skipped: " in capsys.readouterr().err
    run.error = "Traceback\nTypeError: odd"
    assert audit.main([], run) == 1
    assert "pip-audit: failed: TypeError: odd" in capsys.readouterr().err


def test_the_workflow_may_only_read_and_runs_pinned_actions():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "audit.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    steps = workflow["jobs"]["audit"]["steps"]
    assert {"run": "make audit ARGS=--strict"} in steps
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert all(len(one.partition("@")[2]) == 40 for one in used)
