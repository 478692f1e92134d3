"""Unreadable records: those of a newer version are kept, damaged ones are reported and run again."""

import msgspec
import pytest

from tlbench.contracts.record import FORMAT, Record
from tlbench.system.integrity.sealed_json import unsealed


@pytest.fixture
def newer(counted):
    """A folder with a record of a future format version, and one with an unknown field."""
    records = counted.run(["counting", "toy-fit"], trials=2, seeds=1)
    paths = [counted.store.record_path(record.cell.id, 1) for record in records]
    for path, change in zip(paths, ({"format": FORMAT + 1}, {"colour": "red"}), strict=True):
        path.write_bytes(msgspec.json.encode({**msgspec.json.decode(unsealed(path.read_bytes())), **change}))
    counted.made()
    return counted, paths


def test_records_of_a_newer_version_are_left_alone(newer, capsys):
    from tlbench.cli.app import _main

    counted, paths = newer
    before = [path.read_bytes() for path in paths]
    names = ["-t", "toy-tone", "-b", "toy", "-S", "counting", "-S", "toy-fit", "--trials", "2", "--device", "cpu"]
    names.append("--no-baseline")
    for fresh in ("none", "failed", "stale"):
        assert _main(["run", *names, "--fresh", fresh, "--out", str(counted.folder), "--executor", "inline"]) == 1
        said = capsys.readouterr()
        assert said.err.count("was made by a newer tlbench") == 2
        assert "nothing left to run" in said.out
    assert counted.made() == []
    assert [path.read_bytes() for path in paths] == before
    assert sorted(counted.store.attempts().values()) == [1, 1]
    assert _main(["show", paths[0].name.partition(".")[0], "--out", str(counted.folder)]) == 2
    assert "was made by a newer tlbench: it is of format 2" in capsys.readouterr().err


def test_who_asks_for_all_anew_has_them_made_beside_the_newer_ones(newer):
    counted, paths = newer
    before = [path.read_bytes() for path in paths]
    records = counted.run(["counting", "toy-fit"], trials=2, seeds=1, fresh="all")
    assert [record.attempt for record in records] == [2, 2]
    assert [path.read_bytes() for path in paths] == before


def test_a_damaged_record_is_said_to_be_damaged_and_made_again(counted, capsys):
    from tlbench.cli.app import _main

    record = counted.one("counting", trials=2, seeds=1)
    path = counted.store.record_path(record.cell.id, 1)
    path.write_bytes(path.read_bytes()[:100])
    counted.made()
    assert _main(["show", record.cell.id, "--out", str(counted.folder)]) == 2
    assert f"{path.name} is damaged" in capsys.readouterr().err
    names = ["-t", "toy-tone", "-b", "toy", "-S", "counting", "--trials", "2", "--seeds", "1", "--device", "cpu"]
    assert _main(["run", *names, "--out", str(counted.folder), "--executor", "inline"]) == 0
    assert f"{path.name} is damaged" in capsys.readouterr().err
    assert counted.made() == [0, 0]
    assert isinstance(counted.store.attempt(record.cell.id, 2), Record)
    newest = counted.store.record_path(record.cell.id, 2)
    newest.write_bytes(b"{")
    path.write_bytes(msgspec.json.encode(record))
    assert _main(["show", record.cell.id, "--out", str(counted.folder)]) == 0
    assert f"{newest.name} is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["pipe", "depth", "device"])
def test_what_is_no_record_stops_nobody(counted, capsys, what):
    import os

    from tlbench.cli.app import _main

    counted.one("counting", trials=2, seeds=1)
    path = counted.folder / "records" / "00000000000000aa.1.json"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_text('{"x":' + "[" * 200_000)
    assert _main(["leaderboard", "--all", "--out", str(counted.folder)]) == 0
    assert f"{path.name} is damaged" in capsys.readouterr().err
    assert _main(["show", "00000000000000aa", "--out", str(counted.folder)]) == 2


def test_an_attempt_that_was_replaced_serves_no_other_cell(counted):
    counted.one("counting", trials=2, seeds=1)
    newest = counted.one("counting", trials=2, seeds=1, fresh="all")
    path = counted.store.record_path(newest.cell.id, 1)
    raw = msgspec.json.decode(unsealed(path.read_bytes()))
    for trial in raw["trials"]:
        trial["validation"] = 0.99
    path.write_bytes(msgspec.json.encode(raw))
    record = counted.one("counting", trials=2, seeds=2)
    assert [trial.validation for trial in record.trials] == [trial.validation for trial in newest.trials]
    assert all(trial.taken_over for trial in record.trials)


@pytest.mark.parametrize("sampler", ["grid", "random", "gp"])
def test_the_sampler_of_one_trial_makes_no_difference(counted, sampler):
    by_tpe = counted.one("counting", trials=1, seeds=1)
    other = counted.one("counting", trials=1, seeds=1, sampler=sampler, fresh="all")
    assert other.cell.id == by_tpe.cell.id
    assert other.best_params == by_tpe.best_params


@pytest.mark.parametrize("link", ["records", "work", "work/workers.log"])
def test_a_folder_with_links_is_not_written_to(counted, tmp_path, link):
    import shutil

    from tlbench.contracts.errors import StoreError

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = counted.store.root / link
    if place.is_dir():
        shutil.rmtree(place)
    place.symlink_to(elsewhere)
    with pytest.raises(StoreError, match="is a link"):
        counted.one("counting")
    assert not list(elsewhere.iterdir())
