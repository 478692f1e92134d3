"""Observers: `tlbench_fitted` is called for each fit whose result is stored."""

import types

from tlbench import hookimpl
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Plugin


def observer(name, function):
    module = types.ModuleType(name)
    module.tlbench_fitted = hookimpl(function)
    return Plugin(name, "1.0", "main", module)


def test_observers_get_every_stored_fit_and_a_failing_one_is_not_fatal(runs, caplog):
    seen = []

    def observe(order, result):
        assert order.cell.strategy.name == "toy-guess"
        seen.append((order.purpose, result.trial, result.seed, result.status))

    bad = observer("bad", lambda order, result: 1 / 0)
    runs.catalog = Catalog.discover([bad, observer("good", observe)])
    record = runs.one("toy-guess", trials=2, seeds=(0, 1))
    assert record.status == "ok"
    assert [one for one in seen if one[0] == "search"] == [("search", 0, 0, "ok"), ("search", 1, 0, "ok")]
    winner = record.fits[0].trial
    assert sorted(one for one in seen if one[0] == "final") == [("final", winner, seed, "ok") for seed in (0, 1)]
    assert caplog.text.count("the observer of bad 1.0 (main) failed") == len(seen)
