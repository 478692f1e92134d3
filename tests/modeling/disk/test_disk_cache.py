"""Arrays on disk: complete or absent, computed once, verified by a digest, bounded, and never an error."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from tlbench.modeling.disk import cache_folder as disk_folder
from tlbench.modeling.disk import disk_cache, writing
from tlbench.modeling.disk.disk_cache import DiskCache, cached_arrays, shared
from tlbench.modeling.disk.file_format import canonical

KEY = {"data": "d", "stop": 3, "readout": None}
ARRAYS = {"ends": np.arange(5), "ids": np.arange(1000, dtype=np.int32).reshape(50, 20), "on": np.array([True, False])}


class Maker:
    """Creates arrays and counts its calls."""

    def __init__(self, size: int = 0) -> None:
        self.count, self.size = 0, size

    def __call__(self) -> dict[str, np.ndarray]:
        self.count += 1
        return {"x": np.zeros(self.size, np.uint8)} if self.size else ARRAYS


def keep(cache: DiskCache, key: dict[str, object] = KEY) -> Path:
    """Stores an entry and returns its file."""
    before = {entry.path for entry in disk_folder.entries(cache.folder)}
    cache.arrays("toys", key, Maker())
    (path,) = {entry.path for entry in disk_folder.entries(cache.folder)} - before
    return path


def equal(stored, expected) -> bool:
    same = [
        stored[name].dtype == array.dtype and np.array_equal(stored[name], array) for name, array in expected.items()
    ]
    return stored.keys() == expected.keys() and all(same)


def test_an_entry_is_computed_once_and_found_by_other_caches(cache: DiskCache, folder: Path) -> None:
    make = Maker()
    assert equal(cache.arrays("toys", KEY, make), ARRAYS)
    assert equal(cache.arrays("toys", KEY, make), ARRAYS)
    assert equal(DiskCache(folder, 1 << 20).arrays("toys", KEY, make), ARRAYS)
    assert make.count == 1
    assert cache.find("toys", {**KEY, "stop": 4}) is None
    assert cache.find("others", KEY) is None
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_the_partial_file_is_touched_while_arrays_are_computed(
    cache: DiskCache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "HEARTBEAT_SECONDS", 1e-3)

    def make() -> dict[str, np.ndarray]:
        (partial,) = folder.glob(".*.draft")
        os.utime(partial, ns=(0, 0))
        assert any(partial.stat().st_mtime_ns for _ in range(10**6)), "the file was not touched"
        return ARRAYS

    assert equal(cache.arrays("toys", KEY, make), ARRAYS)


def test_any_tool_that_reads_safetensors_reads_the_file(cache: DiskCache) -> None:
    numpys = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    assert equal(numpys.load_file(keep(cache)), ARRAYS)


def test_parts_are_appended_and_bits_of_other_dtypes_are_kept(cache: DiskCache) -> None:
    with cache.writer("toys", KEY) as writer:
        writer.add("x", np.array([[1, 2]], np.int16), "BF16")
        writer.add("x", np.array([[3, 4], [5, 6]], np.int16), "BF16")
        writer.add("odd", np.array([7], np.int8))
        writer.add("ends", np.array([1, 3]))
        writer.add("empty", np.empty((0, 4), np.float32))
        assert writer.commit({"seconds": 1.5})
    stored = cache.find("toys", KEY)
    assert stored is not None
    assert stored.array("x").tolist() == [[1, 2], [3, 4], [5, 6]]
    assert stored.header.arrays["x"].dtype == "BF16"
    # behind an odd number of bytes
    assert stored.array("ends").flags.aligned
    assert stored.array("ends").tolist() == [1, 3]
    assert stored.array("empty").shape == (0, 4)
    assert stored.metadata == {"seconds": 1.5}


@pytest.mark.parametrize("parts", [[np.zeros((1, 2)), np.zeros((1, 3))], [np.array(["text"])]])
def test_parts_of_different_shapes_and_unknown_dtypes_are_not_stored(cache: DiskCache, parts: list[np.ndarray]) -> None:
    with cache.writer("toys", KEY) as writer:
        for part in parts:
            writer.add("x", part)
        assert not writer.active
        assert not writer.commit({})
    assert list(cache.folder.glob("*.safetensors*")) == []


def test_writing_into_an_array_does_not_change_the_file(cache: DiskCache, folder: Path) -> None:
    keep(cache)
    cache.arrays("toys", KEY, Maker())["ids"][:] = 0
    assert equal(DiskCache(folder, 1 << 20).arrays("toys", KEY, Maker()), ARRAYS)


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def _foreign(path: Path) -> None:
    path.write_bytes(b"\x80\x04\x95 a pickle, say" * 100)


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _zeroed(path: Path) -> None:
    # a file that was never synced may hold zeros after a power failure
    path.write_bytes(bytes(path.stat().st_size))


def _edited(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'\\"stop\\":3', b'\\"stop\\":4'))


def _another(path: Path) -> None:
    other = path.with_name("other")
    cache = DiskCache(other, 1 << 20, reserve_bytes=0)
    path.write_bytes(keep(cache, {"data": "another"}).read_bytes())


def _huge(path: Path) -> None:
    path.write_bytes((1 << 62).to_bytes(8, "little") + bytes(5000))


def _negative(path: Path) -> None:
    content = path.read_bytes().replace(b"[50,20]", b"[-5,-9]")
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage", [_flipped, _truncated, _foreign, _emptied, _zeroed, _edited, _another, _huge, _negative]
)
def test_a_damaged_or_foreign_file_is_dropped_and_computed_again(
    cache: DiskCache, folder: Path, damage, caplog: pytest.LogCaptureFixture
) -> None:
    path = keep(cache)
    before = path.read_bytes()
    damage(path)
    assert path.read_bytes() != before, "the case does not change the file"
    fresh = DiskCache(folder, 1 << 20, reserve_bytes=0)
    with caplog.at_level(logging.WARNING):
        assert fresh.find("toys", KEY) is None
    assert "is dropped" in caplog.text
    assert not path.exists()
    make = Maker()
    assert equal(fresh.arrays("toys", KEY, make), ARRAYS)
    assert make.count == 1
    assert equal(fresh.arrays("toys", KEY, make), ARRAYS)


def test_the_digest_of_a_file_is_checked_once_per_process(
    cache: DiskCache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(cache)
    checked = []
    check = disk_cache.check_digest
    monkeypatch.setattr(disk_cache, "check_digest", lambda *a: (checked.append(1), check(*a)))
    cache.find("toys", KEY)
    assert checked == [], "the writer read its own file again"
    fresh = DiskCache(folder, 1 << 20)
    fresh.find("toys", KEY)
    fresh.find("toys", KEY)
    assert checked == [1]


def test_a_stuck_writer_is_not_waited_for(cache: DiskCache, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "STALE_AFTER_SECONDS", 0.0)
    with cache.writer("toys", KEY) as writer:
        writer.add("x", np.zeros(4))
        make = Maker()
        assert equal(DiskCache(folder, 1 << 20, reserve_bytes=0).arrays("toys", KEY, make), ARRAYS)
        assert make.count == 1
        assert disk_folder.sweep(folder).entries == 0, "the partial file of a live writer was removed"
        assert writer.commit({})


def test_the_least_recently_used_entries_are_removed_beyond_the_limit(folder: Path) -> None:
    cache = DiskCache(folder, 300_000, reserve_bytes=0)
    paths = {}
    for number in range(3):
        before = {entry.path for entry in disk_folder.entries(folder)}
        cache.arrays("toys", {"n": number}, Maker(80_000))
        (paths[number],) = {entry.path for entry in disk_folder.entries(folder)} - before
        os.utime(paths[number], (1000 + number, 1000 + number))
    held = cache.find("toys", {"n": 1})
    cache.find("toys", {"n": 0})
    os.utime(paths[1], (1001, 1001))
    cache.arrays("toys", {"n": 3}, Maker(80_000))
    assert [paths[n].exists() for n in range(3)] == [True, False, True]
    assert sum(entry.size_bytes for entry in disk_folder.entries(folder)) <= 300_000
    assert held is not None
    assert not held.array("x").any(), "a process that has it open lost its data"


def test_a_new_entry_stays_even_if_partial_files_exceed_the_limit(folder: Path) -> None:
    cache = DiskCache(folder, 300_000, reserve_bytes=0)
    other = DiskCache(folder, 300_000, reserve_bytes=0)
    keep(cache)
    with other.writer("toys", {"n": 1}) as writer:
        writer.add("x", np.zeros(200_000, dtype=np.int8))
        make = Maker(150_000)
        cache.arrays("toys", {"n": 2}, make)
        assert len(disk_folder.entries(folder)) == 1, "an older entry stayed beyond the limit"
        assert equal(cache.arrays("toys", {"n": 2}, make), cache.find("toys", {"n": 2}).arrays())  # type: ignore[union-attr]
        assert make.count == 1


def test_an_entry_larger_than_the_limit_is_returned_but_not_stored(folder: Path) -> None:
    cache = DiskCache(folder, 50_000, reserve_bytes=0)
    keep(cache)
    make = Maker(60_000)
    assert len(cache.arrays("toys", {"n": 1}, make)["x"]) == 60_000
    assert len(disk_folder.entries(folder)) == 1, "an entry that does not fit pushed out one that does"
    assert list(folder.glob(".*.draft")) == []


def test_a_full_disk_is_logged_once_and_does_not_raise(
    cache: DiskCache, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep(cache, {"data": "before"})
    write = os.pwrite

    def full(handle: int, data: memoryview, position: int) -> int:
        if position > 5000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, data[:3000], position)

    monkeypatch.setattr(os, "pwrite", full)
    with caplog.at_level(logging.WARNING):
        assert equal(cache.arrays("toys", KEY, Maker()), ARRAYS)
        assert equal(cache.arrays("toys", {"data": "later"}, Maker()), ARRAYS)
    assert caplog.text.count("No space left on device") == 1
    assert len(disk_folder.entries(folder)) == 1
    assert list(folder.glob(".*.draft")) == []
    make = Maker()
    assert equal(cache.arrays("toys", {"data": "before"}, make), ARRAYS)
    assert make.count == 0, "existing entries can no longer be read"


def test_free_space_is_reserved_on_the_disk(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = DiskCache(folder, 1 << 20, reserve_bytes=1 << 62)
    assert equal(cache.arrays("toys", KEY, Maker()), ARRAYS)
    assert disk_folder.entries(folder) == []
    assert "nearly full" in caplog.text


def test_a_folder_that_cannot_be_created_disables_the_cache(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    cache = DiskCache(tmp_path / "file" / "cache", 1 << 20)
    for _ in range(2):
        assert equal(cache.arrays("toys", KEY, Maker()), ARRAYS)
    assert caplog.text.count("cannot be written") == 1


@pytest.mark.parametrize("kind", ["Toys", "../toys", "a b", ""])
def test_a_kind_that_is_not_a_short_word_is_refused(cache: DiskCache, kind: str) -> None:
    with pytest.raises(ValueError, match="short word"):
        cache.find(kind, KEY)


def test_symbolic_links_are_not_followed(cache: DiskCache, folder: Path, tmp_path: Path) -> None:
    path = keep(cache)
    (tmp_path / "victim").write_text("mine")
    path.unlink()
    path.with_name(f".{path.name}.draft").symlink_to(tmp_path / "victim")
    assert equal(cache.arrays("toys", KEY, Maker()), ARRAYS)
    assert (tmp_path / "victim").read_text() == "mine"


def test_folder_and_limit_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "here"))
    monkeypatch.setenv("TLBENCH_CACHE_LIMIT", "3MiB")
    stored = shared()
    assert stored is not None
    assert (stored.folder, stored.limit_bytes) == (tmp_path / "here", 3 << 20)
    assert shared() is stored
    make = Maker()
    cached_arrays("toys", KEY, make)
    cached_arrays("toys", KEY, make)
    assert make.count == 1
    monkeypatch.setenv("TLBENCH_CACHE_LIMIT", "0")
    assert shared() is None
    assert equal(cached_arrays("toys", KEY, make), ARRAYS)
    assert make.count == 2


def test_keys_are_equal_in_any_order() -> None:
    assert canonical({"a": 1, "b": None}) == canonical({"b": None, "a": 1})
