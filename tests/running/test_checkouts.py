"""What `benchmarks/checkouts` calls equal is equal."""

import copy

from benchmarks.checkouts.__main__ import added_bytes, differences, read_records
from tlbench.testing.toys import ToyFit


def more(runs):
    """Returns a folder with a cell of another protocol as well."""
    assert runs.one(ToyFit.name, trials=2).status == "ok"
    return runs.store.root / "records"


def test_records_are_compared_to_the_bit(runs):
    assert runs.one(ToyFit.name).status == "ok"
    records = read_records(runs.store.root / "records")
    [cell] = records
    assert cell[:3] == ("toy", "toy-tone", "toy-fit")
    assert differences(records, copy.deepcopy(records)) == []
    assert added_bytes(records) >= 0
    for change in (
        lambda record: record["scores"][0].update(value=record["scores"][0]["value"] + 1e-16 + 1e-16),
        lambda record: record.update(best_params={}),
        lambda record: record.update(status="failed"),
    ):
        changed = copy.deepcopy(records)
        [record] = changed.values()
        change(record)
        assert len(differences(records, changed)) == 1 or record == records[cell]
    assert len(differences(records, {})) == 1
    twice = records | read_records(more(runs))
    assert len(twice) == 2
