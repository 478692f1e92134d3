"""Small records without predictions, and the summaries that an index of them must return."""

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
    """Returns the summaries computed from the records alone."""
    return summaries_of(store.records())


def indexed_summaries(store):
    """Returns the summaries from an index, and checks that the shared values are those of the records."""
    found, wanted = Index(store).summaries(lambda file: None), truth(store)
    assert (found.settings, found.provenances, found.metrics) == (wanted.settings, wanted.provenances, wanted.metrics)
    return found.cells


def file_of(store, n):
    return store.record_path(record(n).cell.id, 1)
