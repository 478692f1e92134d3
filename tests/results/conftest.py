"""Small records and predictions, built by hand in the form that a run writes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.results import small
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import FitResult, Memory, Provenance, Record, Seconds, TestScore
from tlbench.metrics.resampling import bootstrap, score
from tlbench.metrics.scored import Scored
from tlbench.results.records import journal
from tlbench.results.records.store import Store

PROVENANCE = Provenance(
    distributions={"tlbench": "0.1.0", "torch": "2.15.0"},
    device="cpu",
    precision="fp32",
    threads=1,
    data={"test": "f00d"},
)


def cell(task="sst2-lite", strategy="linear-probe", backbone="minilm-l6", **protocol):
    ref = Ref(backbone) if backbone else None
    return Cell(Ref(task), Ref(strategy), Protocol(**{"seeds": (0, 1), **protocol}), ref)


def answers(task="sst2-lite", accuracy=0.9, seeds=(0, 1), n=400, draw=0, scalar=False):
    """Returns predictions with about this accuracy; the same examples are hard for every draw."""
    # Not hash(), which differs between processes.
    base = sum(map(ord, task))
    rng = np.random.default_rng(base)
    targets = rng.uniform(0, 5, n) if scalar else rng.integers(0, 2, n)
    hardness = rng.random(n)
    frames = []
    for seed in seeds:
        noise = np.random.default_rng([base, seed, draw])
        if scalar:
            values = targets * accuracy + noise.normal(size=n) * (1 - accuracy) * 3
        else:
            right = hardness + noise.normal(size=n) * 0.1 < accuracy
            values = np.where(right, targets, 1 - targets)
        ids = [f"{task}-{i}" for i in range(n)]
        frames.append(pd.DataFrame({"seed": seed, "id": ids, "target": targets, "value": values}))
    return pd.concat(frames, ignore_index=True)


def record(of, predictions=None, metrics=("accuracy",), status="ok", trials=1, provenance=PROVENANCE, **changes):
    scores = []
    if predictions is not None:
        for seed, part in predictions.groupby("seed"):
            for metric in metrics:
                pair = Scored(part["target"].to_numpy(), part["value"].to_numpy())
                low, high = bootstrap(metric, pair, resamples=200)
                scores.append(TestScore(metric, int(seed), score(metric, pair), low, high, len(part)))
    searched = tuple(FitResult({"lr": 0.1 * i}, 0, "search", i, "ok", validation=0.8) for i in range(trials))
    defaults = {
        "validation": 0.9,
        "seconds": Seconds(setup=0, encode=8.1, encode_paid=2.0, fit=26.2, search=131.0, predict=1.4, total=170.0),
        "memory": Memory(300_000_000, 812_000_000, host_own_bytes=480_000_000),
        "parameters": 22_713_986,
        "trainable_parameters": 770,
        "test_reads": 1,
    }
    return Record(
        of,
        status,
        metrics=metrics,
        trials=searched,
        scores=tuple(scores),
        provenance=provenance,
        **{**defaults, **changes},
    )


def suite():
    """Returns (cells, records, predictions by cell id) of two tasks, with ties, a failure and a pending cell."""
    cells, records, kept = [], [], {}
    for task, metrics in (("sst2-lite", ("accuracy", "f1")), ("cola-lite", ("matthews", "accuracy", "f1"))):
        for strategy, backbone, share, seeds in (
            ("full-finetune", "minilm-l6", 0.92, (0, 1)),
            ("partial-finetune[stages=2]", "minilm-l6", 0.915, (0, 1)),
            ("linear-probe", "minilm-l6", 0.8, (0, 1)),
            ("from-scratch", "minilm-l6", 0.65, (0,)),
            ("majority", None, 0.5, (0,)),
        ):
            of = cell(task, strategy, backbone, seeds=seeds, trials=16 if strategy == "linear-probe" else 1)
            cells.append(of)
            if (task, strategy) == ("cola-lite", "from-scratch"):
                continue
            if (task, strategy) == ("cola-lite", "full-finetune"):
                records.append(record(of, None, metrics, status="oom", reason="out of memory"))
                continue
            kept[of.id] = answers(task, share, seeds, draw=len(strategy))
            odd = Provenance(device="cpu", precision="fp32", threads=2) if strategy == "linear-probe" else PROVENANCE
            records.append(record(of, kept[of.id], metrics, trials=of.protocol.trials, provenance=odd))
    return cells, records, kept


@pytest.fixture(scope="session")
def made():
    """Functions that build small records (`cell`, `answers`, `record`, `suite`) and the usual `provenance`."""
    return SimpleNamespace(cell=cell, answers=answers, record=record, suite=suite, provenance=PROVENANCE)


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "out")


@pytest.fixture
def kept(store):
    """Commits three records and returns the path of their journal."""
    for n in range(3):
        assert store.commit(small.record(n), store.root)
    return store.root / "work" / journal.NAME


@pytest.fixture
def counted(monkeypatch):
    """A list that gets the file name of each record read during the test."""
    names = []
    read = Store.read
    monkeypatch.setattr(Store, "read", lambda self, name: names.append(name) or read(self, name))
    return names
