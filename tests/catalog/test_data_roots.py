"""The folders that `TLBENCH_DATA` lists."""

from pathlib import Path

from tlbench.catalog.data_roots import DATA_VARIABLE, data_roots


def test_the_folders_are_in_order_without_empty_parts(monkeypatch):
    monkeypatch.setenv(DATA_VARIABLE, ": /one :~/two:")
    assert data_roots() == (Path("/one"), Path("~/two").expanduser())
    monkeypatch.delenv(DATA_VARIABLE)
    assert data_roots() == ()
