"""Archives are unpacked into the cache, and cannot write anywhere else."""

from __future__ import annotations

import io
import os
import random
import tarfile
import zipfile
from pathlib import Path

import pytest
from tlbench_data.own import archives
from tlbench_data.own.archives import unpacked

from tlbench import DataError
from tlbench.catalog.catalog import Catalog

ROWS = "text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(40))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "archives"


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def linked(name, target, kind):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_what_macos_adds_is_left_out(tmp_path):
    members = {"data/train.csv": ROWS, "data/._train.csv": "x", "__MACOSX/data/._train.csv": "x"}
    place = unpacked(zipped(tmp_path / "data.zip", members))
    assert [path.name for path in place.rglob("*")] == ["train.csv"]
    with pytest.raises(DataError, match="would leave the folder"):
        unpacked(zipped(tmp_path / "evil.zip", {"__MACOSX/../../._evil.csv": "x"}))


def left_behind(cache):
    return [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_stands_for_its_folder(tmp_path, kind):
    path = tmp_path / f"data.{kind}"
    if kind == "zip":
        zipped(path, {"data/train.csv": ROWS, "data/test.csv": ROWS.replace("text ", "other ")})
    else:
        members = {"data/train.csv": ROWS, "data/test.csv": ROWS.replace("text ", "other ")}
        tarred(path, [(tarfile.TarInfo(name), text.encode()) for name, text in members.items()])
    found = Catalog.discover().task(f"csv:{path}")
    assert found.ref.name.startswith(f"csv:{path.name}@sha-")
    assert found.item.sizes["train"] == 40
    assert unpacked(path) == unpacked(path)


@pytest.mark.parametrize("name", ["../evil.csv", "/evil.csv", "a/../../evil.csv", "..\\evil.csv"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_path_that_leads_elsewhere(tmp_path, cache, name, kind):
    path = tmp_path / f"data.{kind}"
    if kind == "zip":
        zipped(path, {name: "x"})
    else:
        tarred(path, [(tarfile.TarInfo(name), b"x")], "w")
    with pytest.raises(DataError, match="would leave the folder"):
        unpacked(path)
    assert not list(tmp_path.rglob("evil.csv"))
    assert not left_behind(cache)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path, cache, kind):
    path = tarred(tmp_path / "data.tar.gz", [(linked("out", "/etc/passwd", kind), b"")])
    with pytest.raises(DataError, match="'out' is not a regular file"):
        unpacked(path)
    assert not left_behind(cache)


def test_a_link_in_a_zip_is_refused(tmp_path):
    member = zipfile.ZipInfo("out")
    member.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(DataError, match="'out' is not a regular file"):
        unpacked(tmp_path / "data.zip")


def test_a_bomb_is_refused(tmp_path, cache):
    path = zipped(tmp_path / "data.zip", {"zeros": b"0" * 1_000_000})
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match="unpacks to more than 100000 bytes"):
        unpacked(path, most_bytes=100_000)
    many = zipped(tmp_path / "many.zip", {f"{i}": b"" for i in range(20)})
    with pytest.raises(DataError, match="more than 10 members"):
        unpacked(many, most_members=10)
    assert not left_behind(cache)


@pytest.mark.parametrize("name", ["data.zip", "data.tar.gz"])
def test_no_archive(tmp_path, name):
    (tmp_path / name).write_bytes(b"not an archive")
    with pytest.raises(DataError, match="not an archive that can be unpacked"):
        unpacked(tmp_path / name)


def test_a_truncated_archive(tmp_path, cache):
    members = [(tarfile.TarInfo(f"{i}.csv"), ROWS.encode() * 50) for i in range(5)]
    path = tarred(tmp_path / "data.tar.gz", members)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError):
        unpacked(path)
    assert not left_behind(cache)


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
def test_every_compression_of_a_tar(tmp_path, kind):
    path = tarred(tmp_path / "data.tar", [(tarfile.TarInfo("a" * 150), b"x" * 3_000_000)], f"w:{kind}")
    (file,) = unpacked(path).iterdir()
    assert (file.name, file.stat().st_size) == ("a" * 150, 3_000_000)


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_a_corrupt_archive(tmp_path, cache, kind):
    path = tmp_path / f"data.{kind}"
    noise = random.Random(0).randbytes(50_000).hex().encode()
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
            archive.writestr("noise", noise)
    else:
        tarred(path, [(tarfile.TarInfo("noise"), noise)], f"w:{kind[4:]}")
    content = bytearray(path.read_bytes())
    content[20_000:20_100] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(DataError, match="unpacked: "):
        unpacked(path)
    assert not left_behind(cache)


def test_a_tar_with_a_ruined_header_does_not_end_there(tmp_path):
    path = tarred(tmp_path / "data.tar", [(tarfile.TarInfo(name), b"x") for name in "abc"], "w")
    content = bytearray(path.read_bytes())
    content[1024:1030] = b"ruined"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no header where a member should begin"):
        unpacked(path)


@pytest.mark.parametrize("headers", [{"GNU.sparse.size": "x"}, {"size": "1" + "0" * 30}])
def test_numbers_that_no_archive_can_hold(tmp_path, headers):
    member = tarfile.TarInfo("a")
    member.pax_headers = headers
    with pytest.raises(DataError, match=r"not an archive|more than"):
        unpacked(tarred(tmp_path / "data.tar", [(member, b"x"), (tarfile.TarInfo("b"), b"x")], "w"))


@pytest.mark.parametrize("kind", ["pax", "name"])
def test_what_is_said_of_a_member_is_not_held_whatever_its_size(tmp_path, cache, kind):
    first, second = tarfile.TarInfo("a"), tarfile.TarInfo("b" if kind == "pax" else "b" * (archives.MOST_HEADER_BYTES))
    with tarfile.open(tmp_path / "data.tar.gz", "w:gz", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(first)
        if kind == "pax":
            archive.format = tarfile.PAX_FORMAT
            second.pax_headers = {"comment": "x" * archives.MOST_HEADER_BYTES}
        archive.addfile(second)
    with pytest.raises(DataError, match="headers of one member have more than 1048576 bytes"):
        unpacked(tmp_path / "data.tar.gz")
    assert not left_behind(cache)


def test_folders_are_members_too(tmp_path):
    path = tarred(tmp_path / "data.tar", [(linked(str(i), "", tarfile.DIRTYPE), b"") for i in range(20)], "w")
    with pytest.raises(DataError, match="more than 10 members"):
        unpacked(path, most_members=10)


@pytest.mark.parametrize("name", ["a\x1b[2J.csv", "a\nb.csv", "\x9b2J.csv"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_would_command_a_terminal(tmp_path, name, kind):
    path = tmp_path / f"data.{kind}"
    if kind == "zip":
        zipped(path, {name: "x"})
    else:
        tarred(path, [(tarfile.TarInfo(name), b"x")], "w")
    with pytest.raises(DataError, match="control characters in its name") as caught:
        unpacked(path)
    assert str(caught.value).isprintable()


def test_others_may_read_what_the_umask_lets_them(tmp_path, cache):
    before = os.umask(0o022)
    try:
        unpacked(zipped(tmp_path / "data.zip", {"train.csv": ROWS, "test.csv": ROWS}))
    finally:
        os.umask(before)
    (place,) = cache.iterdir()
    assert place.stat().st_mode & 0o777 == 0o755


def test_a_cache_that_cannot_be_used_is_one_line(tmp_path, cache, monkeypatch):
    path = zipped(tmp_path / "data.zip", {"train.csv": ROWS})

    def denied(place):
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(DataError, match=rf"data\.zip: cannot be unpacked: Permission denied: {cache}"):
        unpacked(path)


def test_members_of_one_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.csv", "two")
    with pytest.raises(DataError, match=r"a\.zip: two of its members are called 'a\.csv'"):
        unpacked(tmp_path / "a.zip")


def test_encrypted_members(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.csv": ROWS})
    content = bytearray(path.read_bytes())
    # The flags of the only member, in its own header and in the archive's list.
    content[6] |= 1
    content[content.find(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip: its member 'a\.csv' is encrypted; unpack it yourself"):
        unpacked(path)


def test_messages_name_the_archive_and_hidden_tables_do_not_count(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.csv": f"{ROWS}lost\n", ".b.csv": ROWS})
    with pytest.raises(DataError) as caught:
        Catalog.discover().task(f"csv:{path}").item.output  # noqa: B018
    assert str(caught.value) == f"{path}/a.csv, line 42: 1 columns where 2 are expected"
