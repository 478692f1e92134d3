"""Only regular files of limited size are opened, and links only where the user wrote them or where they stay inside."""

import os
from pathlib import Path

import pytest

from tlbench.contracts.errors import StoreError
from tlbench.contracts.untrusted.regular_files import (
    links_inside,
    open_regular,
    open_to_append,
    read_regular_file,
    reason_of,
    refuse_unsafe_tree,
)


@pytest.fixture
def sent(tmp_path):
    """A folder that was sent, and a file outside of it."""
    folder = tmp_path / "sent"
    folder.mkdir()
    (folder / "own.txt").write_text("own")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "inside").symlink_to("own.txt")
    (folder / "outside").symlink_to(tmp_path / "secret.txt")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize(
    ("name", "refused", "inside", "followed"),
    [
        ("own.txt", "own", "own", "own"),
        ("inside", "it is a link", "own", "own"),
        ("outside", "it is a link", "leads out of", "secret"),
        ("up/secret.txt", "secret", "leads out of", "secret"),
        ("zero", "it is a link", "leads out of", "it is not a regular file"),
        ("pipe", "it is not a regular file", "it is not a regular file", "it is not a regular file"),
        (".", "it is not a regular file", "it is not a regular file", "it is not a regular file"),
        ("gone", "No such file", "No such file", "No such file"),
    ],
)
def test_what_is_opened(sent, name, refused, inside, followed):
    for links, expected in (("refused", refused), (sent, inside), ("followed", followed)):
        if expected in ("own", "secret"):
            assert read_regular_file(sent / name, 100, links=links).decode() == expected
            continue
        with pytest.raises(OSError, match=r"\[Errno") as caught:
            read_regular_file(sent / name, 100, links=links)
        assert expected in reason_of(caught.value)
        assert caught.value.filename == str(sent / name)


def test_a_file_that_is_too_large_is_not_read(sent):
    os.truncate(sent / "own.txt", 2**40)
    with pytest.raises(OSError, match="it is too large"):
        open_regular(sent / "own.txt", 2**20)


@pytest.mark.parametrize("name", ["outside", "zero", "pipe", "."])
def test_nothing_is_appended_to_what_is_no_file_of_the_folder(sent, name):
    with pytest.raises(OSError, match=r"it is a link|not a regular file|Is a directory"):
        open_to_append(sent / name)


def test_nothing_is_appended_to_a_file_of_two_names(sent):
    os.link(sent.parent / "secret.txt", sent / "second")
    with pytest.raises(OSError, match="of one name"):
        open_to_append(sent / "second")
    with open_to_append(sent / "own.txt") as file:
        file.write(b"+")
    assert (sent / "own.txt").read_text() == "own+"
    assert (sent.parent / "secret.txt").read_text() == "secret"


def test_a_tree_of_files_and_folders_alone_is_accepted(sent):
    for name in ("inside", "outside", "zero", "up", "pipe"):
        with pytest.raises(StoreError, match=r"is a link|pipe: not a regular file"):
            refuse_unsafe_tree(sent)
        (sent / name).unlink()
    refuse_unsafe_tree(sent)
    refuse_unsafe_tree(sent / "gone")


def test_a_snapshot_of_the_hub_links_to_the_blobs_of_its_cache(tmp_path):
    repository = tmp_path / "models--a--b"
    snapshot = repository / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    assert links_inside(snapshot) == snapshot
    (repository / "blobs").mkdir()
    (repository / "blobs" / "aa").write_text("weights")
    (snapshot / "model.safetensors").symlink_to("../../blobs/aa")
    (snapshot / "other").symlink_to(tmp_path)
    assert read_regular_file(snapshot / "model.safetensors", links=links_inside(snapshot)) == b"weights"
    with pytest.raises(OSError, match="leads out of"):
        read_regular_file(snapshot / "other", links=links_inside(snapshot))


def test_the_files_of_an_installed_package_may_be_links(sent):
    """As some installers make them."""
    package = Path(pytest.__file__).resolve().parents[1]
    assert links_inside(package / "model") == Path("/")
    assert links_inside(sent / "site-packages" / "model") == sent / "site-packages" / "model"
