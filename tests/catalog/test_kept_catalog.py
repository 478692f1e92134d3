"""A fork server's catalog is used by its workers, once, where a new discovery would find the same."""

import pytest

from tlbench.catalog import kept_catalog
from tlbench.catalog.catalog import Catalog


@pytest.fixture(autouse=True)
def one_plugin(monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    monkeypatch.setattr(kept_catalog, "_kept", None)


def keep():
    """Keeps a catalog and returns it; in each test, since pytest changes the environment after the set-up."""
    kept_catalog.keep_catalog()
    return kept_catalog._kept[1]


def test_it_is_used_once():
    kept = keep()
    assert kept_catalog.kept_or_discovered() is kept
    again = kept_catalog.kept_or_discovered()
    assert again is not kept
    assert [entry.name for entry in again.entries("task")] == [entry.name for entry in kept.entries("task")]


def test_the_name_of_the_run_changes_nothing(monkeypatch):
    kept = keep()
    monkeypatch.setenv("TLBENCH_RUN", "e4e6cbf0")
    assert kept_catalog.kept_or_discovered() is kept


def test_another_environment_is_looked_at_anew(monkeypatch):
    kept = keep()
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults")
    found = kept_catalog.kept_or_discovered()
    assert isinstance(found, Catalog)
    assert found is not kept
    assert len(found.plugins) == len(kept.plugins) + 1


def test_a_catalog_with_a_broken_plugin_is_not_kept(monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "no_such_module")
    kept_catalog.keep_catalog()
    assert kept_catalog.kept_or_discovered().broken
    assert kept_catalog._kept is None
