"""`--to FOLDER`: what is written, what is refused, and what an earlier report left."""

from __future__ import annotations

import pytest

from tests.results import small
from tlbench.cli.app import _main
from tlbench.cli.board.rendering import write_folder
from tlbench.cli.board.report_files import LIST, write_files
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


@pytest.mark.parametrize("listed", ["{", "[" * 100_000, "3"])
def test_a_list_that_is_none_is_refused(tmp_path, listed):
    (tmp_path / LIST).write_text(listed)
    with pytest.raises(UsageError, match="not an earlier report"):
        write_files(tmp_path, iter([("a.html", b"")]))


def test_links_in_an_earlier_report_lead_nowhere(tmp_path):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "report"
    elsewhere.mkdir()
    (elsewhere / "kept.txt").write_text("x")
    write_files(folder, iter([("a.html", b"")]))
    (folder / "cells").symlink_to(elsewhere)
    (folder / LIST).write_text('["a.html", "cells", "cells/kept.txt", "a.html/b", "x\\u0000", ".."]')
    with pytest.raises(UsageError, match=r"cells/b\.html would not be in this folder"):
        write_files(folder, iter([("a.html", b""), ("cells/b.html", b"")]))
    (folder / "a.html").unlink()
    (folder / "a.html").symlink_to(elsewhere / "kept.txt")
    with pytest.raises(UsageError, match=r"a\.html is there and no regular file"):
        write_files(folder, iter([("a.html", b"")]))
    write_files(folder, iter([("b.html", b"")]))
    assert [(path.name, path.read_text()) for path in elsewhere.iterdir()] == [("kept.txt", "x")]


def test_what_is_no_folder_or_no_file_is_one_line(tmp_path):
    import os

    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "file").write_text("x")
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / LIST)
    for name in ("gone", "file", "pipe"):
        with pytest.raises(UsageError, match=f"--to .*{name}"):
            write_files(tmp_path / name, iter([("a.html", b"")]))


def test_a_report_after_an_interrupted_one_is_whole(tmp_path):
    def killed():
        yield "a.html", b"1"
        yield "cells/b.html", b"2"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path / "report", killed())
    assert write_files(tmp_path / "report", iter([("a.html", b"3")])) == 1
    assert (tmp_path / "report" / "a.html").read_bytes() == b"3"


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
