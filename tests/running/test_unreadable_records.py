"""Records that this version cannot read: newer ones are left alone, damaged ones are said to be so and made again."""

import msgspec
import pytest

from tlbench.contracts.record import FORMAT, Record


@pytest.fixture
def newer(counted):
    """A folder with one record of a format that does not exist yet, and one with a field that does not."""
    records = counted.run(["counting", "toy-fit"], trials=2, seeds=1)
    paths = [counted.store.record_path(record.cell.id, 1) for record in records]
    for path, change in zip(paths, ({"format": FORMAT + 1}, {"colour": "red"}), strict=True):
        path.write_bytes(msgspec.json.encode({**msgspec.json.decode(path.read_bytes()), **change}))
    counted.made()
    return counted, paths


def test_records_of_a_newer_version_are_left_alone(newer, capsys):
    from tlbench.cli.app import _main

    counted, paths = newer
    before = [path.read_bytes() for path in paths]
    names = ["-t", "toy-tone", "-b", "toy", "-S", "counting", "-S", "toy-fit", "--trials", "2", "--device", "cpu"]
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
