"""The observers with wandb itself, offline: `make test-services`."""

import pytest
from tlbench_wandb import plugin as observer

from tlbench.testing.conformance.observers.observer_conformance import example_fits, example_records

pytest.importorskip("wandb", reason="wandb is not installed: make test-services has an environment with it")


def test_a_cell_becomes_an_offline_run(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_PROJECT", "tests")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    for order, result in example_fits():
        observer.tlbench_fitted(order, result)
    record = example_records()[0]
    observer.tlbench_recorded(record.cell, record)
    (log,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = log.read_bytes()
    # What `wandb sync` would send: the names are plain text in the file.
    for name in (record.cell.title, "test_accuracy", "params/lr", "curve"):
        assert name.encode() in content, name
