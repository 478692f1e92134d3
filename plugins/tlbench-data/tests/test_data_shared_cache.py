"""What an archive was unpacked to is believed only while it is as it was, and this user's own."""

from __future__ import annotations

import os
import shutil

import pytest
from tlbench_data import unpacked_digests
from tlbench_data.own import archives
from tlbench_data.own.archives import unpacked


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive that was unpacked by an earlier process."""
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    (folder / "inner").mkdir(parents=True)
    (folder / "train.csv").write_text("text,label\n")
    (folder / "inner" / "other.txt").write_text("other")
    path = shutil.make_archive(str(tmp_path / "data"), "zip", tmp_path, "data")
    unpacked(tmp_path / "data.zip")
    archives._checked.clear()
    return type(folder)(path)


CHANGES = {
    "changed": lambda at: (at / "train.csv").write_text("text,label\nx,1\n"),
    "removed": lambda at: (at / "inner" / "other.txt").unlink(),
    "added": lambda at: (at / "test.csv").write_text("text,label\n"),
    "a link": lambda at: ((at / "train.csv").unlink(), (at / "train.csv").symlink_to("/etc/passwd")),
    "a linked folder": lambda at: (shutil.rmtree(at / "inner"), (at / "inner").symlink_to("/etc")),
    "a pipe": lambda at: os.mkfifo(at / "pipe"),
    "no digests": lambda at: (at.parents[1] / "digests.json").unlink(),
    "odd digests": lambda at: (at.parents[1] / "digests.json").write_text("[" * 100_000),
    "nothing": lambda at: shutil.rmtree(at.parents[1]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_that_was_changed_is_unpacked_again(archive, change):
    CHANGES[change](unpacked(archive))
    archives._checked.clear()
    place = unpacked(archive)
    files = {path.relative_to(place).as_posix() for path in place.rglob("*") if not path.is_dir()}
    assert files == {"train.csv", "inner/other.txt"}
    assert (place / "train.csv").read_text() == "text,label\n"
    assert not (place / "train.csv").is_symlink()
    assert [path.name for path in place.parents[2].iterdir()] == [place.parents[1].name]


def test_a_copy_is_used_again_while_it_is_unchanged(archive):
    place = unpacked(archive)
    before = (place / "train.csv").stat().st_ino
    archives._checked.clear()
    assert (unpacked(archive) / "train.csv").stat().st_ino == before


def test_the_copy_of_another_user_is_not_believed(archive, monkeypatch):
    place = unpacked(archive)
    before = (place / "train.csv").stat().st_ino
    archives._checked.clear()
    monkeypatch.setattr(unpacked_digests, "own_users", lambda: (12345,))
    assert not unpacked_digests.is_as_unpacked(place.parents[1])
    assert (unpacked(archive) / "train.csv").stat().st_ino != before
