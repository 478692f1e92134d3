"""`--to FOLDER`: what is written, what is refused, and what an earlier report left."""

from __future__ import annotations

import pytest

from tests.results import small
from tlbench.cli.app import _main
from tlbench.cli.board.rendering import LIST, write_files, write_folder
from tlbench.contracts.errors import UsageError
from tlbench.contracts.renderer import FolderRenderer
from tlbench.results.records.store import Store


def test_a_rebuild_removes_what_is_no_more_and_touches_nothing_else(tmp_path):
    folder = tmp_path / "report"
    assert write_files(folder, iter([("a.html", b"1"), ("cells/b.html", b"2")])) == 2
    (folder / "CNAME").write_text("example.org")
    assert write_files(folder, iter([("a.html", b"3")])) == 1
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["CNAME", "a.html", LIST]
    assert (folder / "a.html").read_bytes() == b"3"


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="not an earlier report"):
        write_files(tmp_path, iter([("index.html", b"")]))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_list_of_files_cannot_remove_others(tmp_path):
    kept, folder = tmp_path / "kept.txt", tmp_path / "report"
    kept.write_text("x")
    folder.mkdir()
    (folder / LIST).write_text(f'["../kept.txt", "{kept}", "a/../../kept.txt"]')
    write_files(folder, iter([("a.html", b"")]))
    assert kept.exists()


@pytest.mark.parametrize("listed", ["{", "[1]", "3"])
def test_a_list_that_is_none_is_refused(tmp_path, listed):
    (tmp_path / LIST).write_text(listed)
    with pytest.raises(UsageError, match="not an earlier report"):
        write_files(tmp_path, iter([("a.html", b"")]))


@pytest.mark.parametrize("name", ["../a.html", "/a.html", ""])
def test_a_renderer_cannot_write_elsewhere(tmp_path, name):
    with pytest.raises(UsageError, match="would not be in this folder"):
        write_files(tmp_path / "report", iter([(name, b"")]))


def test_a_renderer_that_fails_is_named(tmp_path, monkeypatch):
    from tlbench.results.render import formats

    class Broken(FolderRenderer):
        name = "broken"

        def files(self, page, records):
            raise ZeroDivisionError("x")

    monkeypatch.setattr(formats, "FORMATS", {"broken": Broken()})
    with pytest.raises(UsageError, match="--format broken, brought by tlbench, failed: ZeroDivisionError: x"):
        write_folder(tmp_path / "r", None, None, "", "", "broken", None)


def test_formats_of_one_text_and_of_a_folder_are_told_apart(tmp_path, capsys):
    store = Store.create(tmp_path / "out")
    store.commit(small.record(1), store.root)
    out = ["leaderboard", "--out", str(store.root)]
    assert _main([*out, "-f", "csv", "--to", str(tmp_path / "r")]) == 2
    assert "--format csv makes one text, not a folder" in capsys.readouterr().err
    assert _main([*out, "-f", "html"]) == 2
    assert "add --to FOLDER" in capsys.readouterr().err
    assert _main([*out, "--to", str(tmp_path / "r")]) == 0
    assert {path.name for path in (tmp_path / "r").iterdir()} >= {"index.html", "data.js", "report.css", "report.js"}
