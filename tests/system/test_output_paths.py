"""Paths that commands write to are checked before any work is done for them."""

import os
from pathlib import Path

import pytest

from tlbench.contracts.errors import UsageError
from tlbench.system.output_paths import check_new_folder, check_output_file


def test_a_device_is_not_replaced_by_a_file(tmp_path):
    for path in ("/dev/null", tmp_path / "pipe"):
        if path != "/dev/null":
            os.mkfifo(path)
        with pytest.raises(UsageError, match="is no regular file"):
            check_output_file(tmp_path / path, "--to")


def test_files_that_cannot_be_written_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    check_output_file(tmp_path / "file", "-o")
    check_output_file(tmp_path / "new", "-o")
    for name, words in [
        (tmp_path, "is a folder"),
        (tmp_path / "none" / "new", "there is no folder"),
        (tmp_path / "file" / "new", "Not a directory"),
        (tmp_path / ("n" * 300), "File name too long"),
    ]:
        with pytest.raises(UsageError, match=words):
            check_output_file(name, "-o")


def test_folders_that_cannot_be_made_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    check_new_folder(tmp_path / "empty", "--to")
    check_new_folder(tmp_path / "a" / "b", "--to")
    for name, words in [
        (tmp_path, "it exists already"),
        (tmp_path / "link", "is a link"),
        (tmp_path / "dangling", "is a link"),
        (Path(), "the working directory"),
        (tmp_path / "file", "it exists already"),
        (tmp_path / "file" / "new", "Not a directory"),
        (tmp_path / ("n" * 300), "File name too long"),
    ]:
        with pytest.raises(UsageError, match=words):
            check_new_folder(name, "--to")


def test_folders_without_the_right_to_write_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for check in (check_output_file, check_new_folder):
        with pytest.raises(UsageError, match="nothing can be written in"):
            check(tmp_path / "new", "--to")
