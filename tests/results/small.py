"""Small records without predictions, and what an index is to say of a folder of them."""

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import Provenance, Record, TestScore
from tlbench.results.index import Index
from tlbench.results.records.summaries import summaries_of

MOST = 2**20


def record(n, **changes):
    cell = Cell(Ref("task"), Ref(f"s{n:02}"), Protocol(seeds=(0, 1)), Ref("backbone"))
    scores = tuple(TestScore("accuracy", seed, 0.5 + n / 100, 0.4, 0.9, 100) for seed in (0, 1))
    defaults = {"metrics": ("accuracy",), "scores": scores, "provenance": Provenance(device="cpu"), "parameters": n}
    return Record(cell, "ok", **{**defaults, **changes})


def truth(store):
    """Returns what an index is to say, by the records alone."""
    return summaries_of(store.records())


def lines(store):
    """Returns what it says, and checks that nothing else is different."""
    found, wanted = Index(store).lines(lambda file: None), truth(store)
    assert (found.settings, found.made, found.metrics) == (wanted.settings, wanted.made, wanted.metrics)
    return found.rows


def file_of(store, n):
    return store.record_path(record(n).cell.id, 1)
