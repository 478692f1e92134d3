"""No flipped bit and no truncation of a stored file is taken for what was written, and each is named in one line."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.running.conftest import Runs, essence
from tests.running.faults.damage import STRATEGY, WHAT, files_of, flipped, flips, interrupted_before, plain, toys
from tlbench.cli.app import _main
from tlbench.contracts.record import Record
from tlbench.modeling.disk.disk_cache import DiskCache
from tlbench.results.records.record_files import Unreadable, damaged_predictions, read_record, record_of
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.search.strategy_definition import Definition


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run and its record."""
    folder = tmp_path_factory.mktemp("finished") / "out"
    with toys():
        return folder, Runs(folder).one(STRATEGY, **WHAT)


def test_every_truncation_of_a_record_is_noticed(finished):
    path = next((finished[0] / "records").glob("*.json"))
    content = path.read_bytes()
    for length in range(len(content)):
        assert isinstance(record_of(path, content[:length]), Unreadable), length


def test_every_flip_in_a_record_is_noticed(finished):
    path = next((finished[0] / "records").glob("*.json"))
    content = path.read_bytes()
    for _, bit in flips([len(content)], 1000, seed=1):
        found = record_of(path, flipped(content, bit))
        assert isinstance(found, Unreadable), bit
        assert not found.is_newer, "damage is not the work of a newer version"
        assert "\n" not in found.message


def test_every_flip_in_predictions_is_noticed(finished, tmp_path):
    folder, record = finished
    shutil.copytree(folder / "records", tmp_path / "records")
    files = sorted((tmp_path / "records").glob("*.parquet"))
    contents = [file.read_bytes() for file in files]
    assert damaged_predictions(record, tmp_path / "records") is None
    for number, bit in flips([len(one) for one in contents], 1000, seed=2):
        files[number].write_bytes(flipped(contents[number], bit))
        assert damaged_predictions(record, tmp_path / "records").path == files[number]
        with pytest.raises(ValueError, match="its digest differs"):
            read_predictions(files[number], digest=record.digests[files[number].name])
        files[number].write_bytes(contents[number])


def state_of(folder):
    """Returns what a run reads of a cell's folder, as texts by name; what counts as missing is left out."""
    cell = CellFolder(Path(folder))
    finals = {f"final {one.seed}": one for one in cell.finals()}
    trials = {f"trial {one.trial}": one for one in cell.trials()}
    record = next(iter(Path(folder).parent.glob("*"))).name.partition(".")[0]
    whole = {"winner": cell.winner(), "cell": cell.cell(), "record": cell.record(record, 1)}
    whole |= {f"made with {i}": one for i, one in enumerate(cell.provenances())}
    read = {name: plain(one) for name, one in {**finals, **trials, **whole}.items() if one is not None}
    return {**read, "definition": str(Definition.is_damaged_in(Path(folder)))}


def test_every_flip_in_a_study_is_noticed(tmp_path):
    template = interrupted_before(tmp_path / "out", "committing")
    (folder,) = (path for path in (template / "work").iterdir() if path.is_dir())
    truth = state_of(folder)
    assert len(truth) > 8
    names = [name for name in files_of(template) if name.endswith((".json", ".parquet"))]
    contents = [(template / name).read_bytes() for name in names]
    for number, bit in flips([len(one) for one in contents], 500, seed=3):
        file = template / names[number]
        file.write_bytes(flipped(contents[number], bit))
        found = state_of(folder)
        assert all(truth[name] == text for name, text in found.items() if name != "definition"), (file, bit)
        has_noticed = len(found) < len(truth) or found["definition"] == "True"
        # These two hold measurements, and count as nothing measured.
        assert has_noticed or file.name in ("memory.json", "seconds.json"), (file, bit)
        if file.name == "memory.json":
            assert CellFolder(folder).memory().host_peak_bytes is None
        file.write_bytes(contents[number])
    assert state_of(folder) == truth


def test_every_flip_in_the_cache_is_noticed(tmp_path):
    arrays = {"x": np.arange(2000, dtype=np.float32), "y": np.ones((3, 5), dtype=np.int64)}
    key = {"weights": "a", "data": "b"}
    DiskCache(tmp_path, 2**30).arrays("tokens", key, lambda: arrays)
    (file,) = tmp_path.glob("*.safetensors")
    content = file.read_bytes()
    metadata, found = DiskCache(tmp_path, 2**30).find("tokens", key).metadata, 0
    for _, bit in flips([len(content)], 500, seed=4):
        file.write_bytes(flipped(content, bit))
        entry = DiskCache(tmp_path, 2**30).find("tokens", key)
        # A part of the header is for other readers of the format alone.
        if entry is not None:
            assert entry.metadata == metadata
            assert all((entry.array(name) == array).all() for name, array in arrays.items()), bit
        found += entry is None
    assert found > 400


@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_what_is_damaged_is_named_put_aside_and_made_again(finished, tmp_path, monkeypatch, capsys, kind):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults")
    folder, record = finished
    out = tmp_path / "out"
    shutil.copytree(folder, out)
    path = out / "records" / f"{record.cell.id}.1.{kind}"
    content = flipped(path.read_bytes(), 4000)
    path.write_bytes(content)
    line = f"{path.name} is damaged: its digest differs, so it has changed since it was written"
    arguments = ["-t", "toy-tone", "-b", "toy", "-S", STRATEGY, "--trials", "3", "--seeds", "2", "--no-baseline"]
    assert _main(["run", *arguments, "--device", "cpu", "--executor", "inline", "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert f"{line}; its cell is run again" in said
    assert "Traceback" not in said
    # Nothing is deleted, and the cell has another attempt that equals the first.
    assert (out / "damaged" / path.name).read_bytes() == content
    (again,) = (read_record(file) for file in (out / "records").glob("*.2.json"))
    assert isinstance(again, Record)
    assert essence(again) == essence(record)
    assert _main(["leaderboard", "--all", "--out", str(out)]) == 0
    assert capsys.readouterr().err == ""


def test_readers_name_damaged_predictions_and_go_on(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults")
    out = tmp_path / "out"
    shutil.copytree(finished[0], out)
    with toys():
        other = Runs(out).one("toy-fit", **WHAT)
    path = out / "records" / f"{finished[1].cell.id}.1.parquet"
    path.write_bytes(flipped(path.read_bytes(), 3000))
    for command in (["leaderboard", "--all"], ["compare", finished[1].cell.id[:12], other.cell.id[:12]]):
        _main([*command, "--out", str(out)])
        said = capsys.readouterr().err
        assert "its digest differs" in said, command
        assert path.name in said
        assert "Traceback" not in said


def test_records_without_digests_are_read_as_before(finished, tmp_path):
    import msgspec

    folder, record = finished
    old = msgspec.structs.replace(record, digests={})
    path = tmp_path / f"{record.cell.id}.1.json"
    path.write_bytes(msgspec.json.encode(old))
    assert read_record(path) == old
    shutil.copy(folder / "records" / f"{record.cell.id}.1.parquet", tmp_path)
    assert damaged_predictions(old, tmp_path) is None
