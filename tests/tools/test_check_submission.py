"""What a pull request may change in leaderboards/, and the workflow that checks it."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.results.conftest import answers, cell
from tests.results.stored import committed
from tlbench.results.submissions.packing import packed_files, write_submission
from tools.leaderboards.check_submission import changed_files, main, submissions_of

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "submissions.yml").read_text())


@pytest.fixture
def checkouts(tmp_path):
    """A base and a head with a list of leaderboards, and a submission in the head."""
    for name in ("base", "head"):
        (tmp_path / name / "leaderboards" / "own").mkdir(parents=True)
        tables = '[[table]]\nname = "own"\nsuite = "glue-lite"\n'
        (tmp_path / name / "leaderboards" / "tables.toml").write_text(tables)
    store = committed(tmp_path / "out", [(cell(), None)])
    files = packed_files(store, sorted(store.attempts()), "theirs")
    write_submission(files, tmp_path / "head" / "leaderboards" / "theirs")
    return tmp_path / "base", tmp_path / "head"


def test_a_submission_is_checked_and_reported(checkouts, capsys):
    assert main([str(path) for path in checkouts]) == 0
    assert "### theirs" in capsys.readouterr().out
    record = next((checkouts[1] / "leaderboards" / "theirs" / "records").glob("*.json"))
    record.write_bytes(b"{}")
    assert main([str(path) for path in checkouts]) == 1
    assert "it was changed or damaged" in capsys.readouterr().out


def test_deleted_and_changed_files_count(checkouts):
    base, head = checkouts
    shutil.copytree(head / "leaderboards" / "theirs", base / "leaderboards" / "theirs")
    assert changed_files(base, head) == []
    (head / "leaderboards" / "theirs" / "plan.json").unlink()
    (head / "leaderboards" / "tiers.json").write_text("{}")
    assert changed_files(base, head) == ["theirs/plan.json", "tiers.json"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("tiers.json", "the project's own files"),
        ("own/records/x.json", "the project's own leaderboard"),
        ("theirs/index.bin", "no such file"),
        ("theirs/records/notes.txt", "no such file"),
        ("Theirs/plan.json", "lower-case"),
        ("../x/plan.json", "lower-case"),
    ],
)
def test_other_files_are_rejected(path, line):
    names, rejected = submissions_of([path], ["own"])
    assert names == []
    assert line in rejected[0]


def test_a_link_in_place_of_the_leaderboards_is_not_entered(checkouts, tmp_path, capsys):
    shutil.move(checkouts[1] / "leaderboards", tmp_path / "elsewhere")
    (checkouts[1] / "leaderboards").symlink_to(tmp_path / "elsewhere")
    assert main([str(path) for path in checkouts]) == 1
    assert capsys.readouterr().out == "- **leaderboards is a link**\n"


def test_a_submission_cannot_claim_a_tier(checkouts, capsys):
    (checkouts[1] / "leaderboards" / "tiers.json").write_text("{}")
    assert main([str(path) for path in checkouts]) == 1
    assert "tiers.json" in capsys.readouterr().out


def test_a_report_shows_no_markup_of_a_submission(tmp_path, checkouts, capsys):
    evil = cell(task="<img src=x> [a](http://x) `b`")
    store = committed(tmp_path / "evil", [(evil, answers(n=40))])
    files = packed_files(store, sorted(store.attempts()), "evil")
    write_submission(files, checkouts[1] / "leaderboards" / "evil")
    record = next((checkouts[1] / "leaderboards" / "evil" / "records").glob("*.json"))
    record.write_bytes(record.read_bytes().replace(b'"ok"', b'"<b>x"', 1))
    assert main([str(path) for path in checkouts]) == 1
    assert not re.search(r"(?<!\\)<(img|b)>?", capsys.readouterr().out)


def test_the_workflow_runs_the_branch_and_has_no_rights():
    assert WORKFLOW["permissions"] == {}
    assert set(WORKFLOW[True]) == {"pull_request"}
    job = WORKFLOW["jobs"]["verify"]
    assert job["permissions"] == {"contents": "read"}
    ran = [step for step in job["steps"] if "run" in step]
    assert {step["working-directory"] for step in ran} == {"base"}
    assert not any("${{" in step["run"] for step in ran)
    for step in job["steps"]:
        assert "uses" not in step or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])
    # A pipe's status is that of its last command, unless the shell is asked for.
    assert ran[-1]["shell"] == "bash"
