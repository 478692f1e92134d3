"""`tlbench plan` counts cells that failed, timed out, or whose record is damaged or outdated, apart from the done."""

import re
from dataclasses import replace

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.cli.options import planned
from tlbench.cli.plan import print_plan
from tlbench.contracts.record import Provenance, Record, TestScore
from tlbench.planning.selection import Selection
from tlbench.planning.suite import Patch
from tlbench.results.records.store import Store

KINDS = {
    "done": ("ok", {}),
    "outdated": ("ok", {"torch": "0.0.1"}),
    "failed": ("failed", {"torch": "0.0.1"}),
    "crashed": ("crashed", {}),
    "oom": ("oom", {}),
    "diverged": ("diverged", {}),
    "timed out": ("timeout", {}),
    "damaged": ("ok", {}),
    "made by a newer tlbench": ("ok", {}),
    "": None,
}


@pytest.fixture
def shown(tmp_path, monkeypatch, capsys):
    """Returns the output of `plan` for a cell of each kind."""
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults")
    strategies = tuple(f"toy-slow[rounds={n}]" for n in range(1, 1 + len(KINDS)))
    selection = Selection(("toy",), ("toy-tone",), strategies, baselines=False)
    plan = planned(Catalog.discover(), None, selection)
    store = Store.create(tmp_path / "out")
    for cell, (kind, made) in zip(plan.cells, KINDS.items(), strict=True):
        if made is not None:
            scores = (TestScore("accuracy", 0, 0.5, 0.4, 0.6, 9),)
            provenance = Provenance(distributions=made[1])
            store.commit(Record(cell, made[0], metrics=("accuracy",), scores=scores, provenance=provenance), tmp_path)
        path = store.record_path(cell.id, 1)
        if kind == "damaged":
            path.write_text("{")
        elif kind.startswith("made by"):
            text = re.sub(r'"digest":"[0-9a-f]{32}",', "", path.read_text())
            path.write_text(text.replace('"format":1', '"format":99'))

    def show(cells):
        print_plan(plan, store.root, cells)
        return capsys.readouterr().out.splitlines()

    return show


COUNTS = "1 outdated, 4 failed, 1 timed out, 1 damaged, 1 made by a newer tlbench"


def test_each_state_is_counted_apart(shown):
    assert shown(False)[-1] == f"command line: 10 cells, 1 done, {COUNTS}, 0 skipped"
    assert next(line for line in shown(False) if "1 timed out" in line).endswith("0/1, 1 timed out")


def test_each_cell_has_its_state(shown):
    states = [line.partition("]")[2].split(maxsplit=1)[1:] for line in shown(True)[1:-1]]
    assert [state[0].strip() if state else "" for state in states] == [
        *("done", "outdated", "failed", "failed", "failed", "failed", "timed out", "damaged"),
        *("made by a newer tlbench", ""),
    ]


def test_strategies_that_rungs_cannot_cut_short_are_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults")
    catalog = Catalog.discover()
    monkeypatch.setattr(type(catalog.strategy("toy-tune").item), "batch_size", 8)
    monkeypatch.setattr(type(catalog.strategy("toy-guess").item), "reports_scores", False)
    selection = Selection(("toy",), ("toy-tone",), ("toy-fit", "toy-tune", "toy-guess"), baselines=False)
    for pruner in ("hyperband-rungs", "hyperband"):
        chosen = replace(selection, protocol=Patch(pruner=pruner, trials=9))
        print_plan(planned(catalog, None, chosen), tmp_path / "none", catalog=catalog)
    named = [line for line in capsys.readouterr().out.splitlines() if "in spite of" in line]
    assert sorted(named) == [
        "toy-guess: all fits are whole in spite of hyperband-rungs, since it reports no scores during a fit",
        "toy-tune: all fits are whole in spite of hyperband-rungs, since it fits several settings in one pass",
    ]
