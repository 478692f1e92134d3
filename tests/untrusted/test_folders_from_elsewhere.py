"""A folder of results that someone sent, with links and special files in it: nothing is written or read elsewhere."""

import os
import shutil

import pytest

from tests.results.conftest import answers, cell
from tests.results.stored import committed
from tests.untrusted.hangs import ended_if_it_hangs
from tlbench.cli.app import _main

CELL = cell()
READERS = (
    ("leaderboard", "--all"),
    ("leaderboard", "--all", "-f", "json"),
    ("show", CELL.id),
    ("status",),
    ("recommend",),
    ("hpo", "--export", "{out}.log"),
    ("eval-results", CELL.id[:6], "--dataset", "a/b", "--task", "c"),
)


@pytest.fixture(autouse=True)
def ending():
    with ended_if_it_hangs():
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder of results as it should be."""
    root = tmp_path_factory.mktemp("whole") / "out"
    committed(root, [(CELL, answers(n=40))])
    return root


@pytest.fixture
def sent(whole, tmp_path):
    """A folder of results, and a folder beside it with what its links lead to."""
    shutil.copytree(whole, tmp_path / "out")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "bashrc").write_text("mine")
    return tmp_path / "out"


def replaced(path, target):
    """Puts a link, or a pipe if there is no target, in the place of a file or folder."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path) if target is None else path.symlink_to(target)


def state(folder):
    return {path.name: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")}


def went(arguments, capsys):
    """Runs a command and returns its exit status, which is none of a crash, and its one line of error."""
    status = _main(list(arguments))
    said = capsys.readouterr()
    assert status in (0, 1, 2)
    assert "Traceback" not in said.err + said.out
    return status, said.err


@pytest.mark.parametrize("place", ["records", "work", "models", "find"])
def test_a_linked_folder_is_neither_read_nor_written(sent, capsys, place):
    elsewhere = sent.parent / "elsewhere"
    replaced(sent / place, elsewhere)
    before = state(elsewhere)
    for command in READERS:
        status, said = went([part.format(out=sent) for part in (*command, "--out", str(sent))], capsys)
        assert status == 2
        assert f"{place}: is a link, and nothing is read or written through links: remove it" in said
        assert said.count("\n") == 1
    assert state(elsewhere) == before


FILES = {
    "marker": ("tlbench.json",),
    "record": (f"records/{CELL.id}.1.json",),
    "predictions": (f"records/{CELL.id}.1.parquet", f"records/{CELL.id}.1.validation.parquet"),
    "others": (
        "plan.json", "fresh.json", "index.bin", "records/00000000000000aa.1.json", "work/index.journal",
        "work/running-0123abcd.json", f"work/{CELL.id}.1/cell.json", "work/run.log", "find/0123/request.json",
    ),
}  # fmt: skip


@pytest.mark.parametrize("target", ["/dev/zero", None, "elsewhere/bashrc"], ids=["zero", "pipe", "file"])
@pytest.mark.parametrize("kind", FILES)
def test_files_that_are_links_or_pipes_stop_no_reader(sent, capsys, kind, target):
    for place in FILES[kind]:
        replaced(sent / place, sent.parent / target if target else None)
    before = state(sent.parent / "elsewhere")
    for command in (("leaderboard", "--all"), ("status",), ("show", CELL.id)):
        went([*command, "--out", str(sent)], capsys)
    assert state(sent.parent / "elsewhere") == before
    assert (sent.parent / "elsewhere" / "bashrc").read_text() == "mine"


RUN = ("run", "-t", "toy-tone", "-b", "toy", "-S", "majority", "--executor", "inline", "--device", "cpu", "--out")


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("records", "elsewhere"), ("work", "elsewhere"), ("index.bin", "elsewhere/bashrc"), ("work/workers.log", None),
        ("work/workers.log", "elsewhere/bashrc"), ("work/run.log", None), ("work/run.log", "elsewhere/bashrc"),
        ("tlbench.json", "elsewhere/bashrc"),
    ],
)  # fmt: skip
def test_a_run_writes_nowhere_else(sent, capsys, monkeypatch, place, target):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    replaced(sent / place, sent.parent / target if target else None)
    before = state(sent.parent / "elsewhere")
    went([*RUN, str(sent)], capsys)
    assert state(sent.parent / "elsewhere") == before
    assert (sent.parent / "elsewhere" / "bashrc").read_text() == "mine"


def test_the_folder_itself_may_be_a_link(sent, capsys):
    (sent.parent / "mine").symlink_to(sent)
    assert went(["leaderboard", "--all", "--out", str(sent.parent / "mine")], capsys)[0] == 0


@pytest.mark.parametrize("place", ["records", f"records/{CELL.id}.1.json", f"records/{CELL.id}.1.parquet"])
@pytest.mark.parametrize("target", ["/dev/zero", None, "elsewhere/bashrc"], ids=["zero", "pipe", "file"])
def test_merging_takes_over_no_links(sent, capsys, place, target):
    replaced(sent / place, sent.parent / target if target else None)
    out = sent.parent / "all"
    status, _ = went(["merge", str(sent), "--out", str(out)], capsys)
    assert status in (1, 2) or (place, target) == ("records", None)
    assert not [path for path in out.rglob("*") if path.is_symlink() or path.is_fifo()]
    assert not [path for path in out.rglob("*") if path.is_file() and path.read_bytes() == b"mine"]
