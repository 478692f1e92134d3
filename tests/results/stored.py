"""Commits small records with their predictions, as a run does."""

import msgspec

from tests.results.conftest import record
from tlbench.results.records.store import Store


def committed(root, cells, attempt=1, **changes):
    """Returns the store in a folder with a record of each of these cells; the second of a pair is its predictions."""
    store = Store.create(root)
    for cell, predictions in cells:
        work = store.work(cell.id, attempt)
        work.mkdir(parents=True)
        status = {} if predictions is not None else {"status": "failed", "reason": "it broke"}
        made = record(cell, predictions, **{**status, **changes})
        if predictions is not None:
            predictions.to_parquet(work / "answers.parquet")
            made = msgspec.structs.replace(made, predictions="answers.parquet")
        assert store.commit(msgspec.structs.replace(made, attempt=attempt), work)
    return store
