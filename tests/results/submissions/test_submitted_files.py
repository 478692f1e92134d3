"""A submission from somebody else: links, devices, names that lead elsewhere and archives that are none."""

import os
import zipfile

import pytest

from tests.results.conftest import answers, cell
from tests.results.stored import committed
from tlbench.contracts.errors import UsageError
from tlbench.results.submissions import submitted_files as opening
from tlbench.results.submissions.packing import packed_files, write_submission
from tlbench.results.submissions.submitted_files import UnreadableFile, submitted_files


@pytest.fixture
def files(tmp_path):
    store = committed(tmp_path / "out", [(cell(), answers())])
    return packed_files(store, sorted(store.attempts()), "mine", by="A. B.")


@pytest.fixture
def folder(files, tmp_path):
    write_submission(files, tmp_path / "sent")
    return tmp_path / "sent"


def test_a_folder_and_an_archive_give_the_same_files(files, folder, tmp_path):
    write_submission(files, tmp_path / "sent.zip")
    write_submission(files, tmp_path / "again.zip")
    assert (tmp_path / "sent.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    for path in (folder, tmp_path / "sent.zip"):
        with submitted_files(path) as found:
            assert {name: found.read(name) for name in found.names} == files
            assert (found.faults, found.manifest.by) == ({}, "A. B.")
    with pytest.raises(UsageError, match="it exists"):
        write_submission(files, folder)


def test_links_and_pipes_are_neither_followed_nor_opened(folder, tmp_path):
    (tmp_path / "secret").write_text("secret")
    record = next((folder / "records").glob("*.json"))
    record.unlink()
    record.symlink_to(tmp_path / "secret")
    (folder / "plan.json").unlink()
    os.mkfifo(folder / "plan.json")
    with submitted_files(folder) as found:
        assert found.faults[f"records/{record.name}"] == "it is a link, and links are not followed"
        assert found.faults["plan.json"] == "it is not a regular file"
        for name in found.faults:
            with pytest.raises(UnreadableFile):
                found.read(name)


def test_a_linked_folder_of_records_is_not_entered(folder, tmp_path):
    (folder / "records").rename(tmp_path / "elsewhere")
    (folder / "records").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="no records here"), submitted_files(folder):
        pass


def archive(path, entries):
    with zipfile.ZipFile(path, "w") as packed:
        for entry, content in entries:
            packed.writestr(entry, content)
    return path


def entry(name, mode=0o100644):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_writes_nothing_outside_and_no_link(files, tmp_path):
    name = next(name for name in files if name.endswith(".json") and name.startswith("records/"))
    entries = [(entry(one), content) for one, content in files.items()]
    bad = {"../escaped.json": 0o100644, "/tmp/escaped.json": 0o100644, "records/../../escaped": 0o100644}
    linked = f"records/{'a' * 16}.1.json"
    entries += [(entry(one, mode), b"x") for one, mode in bad.items()]
    entries += [(entry(linked, 0o120777), b"/etc/passwd"), (entry(name), b"{}")]
    with submitted_files(archive(tmp_path / "evil.zip", entries)) as found:
        assert {*bad} <= set(found.faults)
        assert "link" in found.faults[linked]
        assert found.faults[name] == "the archive has it twice"
        assert not os.path.lexists(found.root / linked)
        assert not os.path.lexists(found.root.parent / "escaped.json")
        left = found.root
    assert not left.exists()


def test_sizes_are_limited_before_anything_is_extracted(files, folder, tmp_path, monkeypatch):
    write_submission(files, tmp_path / "sent.zip")
    monkeypatch.setattr(opening, "LARGEST_TOTAL", 1000)
    for path in (folder, tmp_path / "sent.zip"):
        with pytest.raises(UsageError, match="submit fewer cells at once"), submitted_files(path):
            pass
    monkeypatch.setattr(opening, "LARGEST_TOTAL", 2**30)
    monkeypatch.setattr(opening, "largest_size", lambda name: 100)
    with submitted_files(folder) as found:
        assert any("MiB" in reason for reason in found.faults.values())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x00" * 100])
def test_what_is_no_archive_is_one_line(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.zip: not a whole ZIP"), submitted_files(tmp_path / "x.zip"):
        pass


def test_a_damaged_archive_is_one_line(files, tmp_path):
    write_submission(files, tmp_path / "x.zip")
    content = bytearray((tmp_path / "x.zip").read_bytes())
    content[len(content) // 3] ^= 0xFF
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(UsageError, match="not a whole ZIP"), submitted_files(tmp_path / "x.zip"):
        pass


def test_of_a_results_folder_only_the_results_are_looked_at(tmp_path):
    store = committed(tmp_path / "out", [(cell(), answers())])
    (store.root / "run.log").write_text("x")
    with submitted_files(store.root) as found:
        assert "run.log" in found.ignored
        assert found.faults == {}
