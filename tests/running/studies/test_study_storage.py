"""All searches of a results folder as Optuna studies in one storage."""

from datetime import datetime

import msgspec
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.record import PAID, Point
from tlbench.contracts.space import Choice, Float, Int
from tlbench.metrics import METRICS
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.studies.stored_searches import StoredSearch, observed_space, stored_searches
from tlbench.running.studies.study_storage import write_studies


def loaded(path):
    """Returns the studies in a file by name."""
    storage = JournalStorage(JournalFileBackend(str(path)))
    names = optuna.get_all_study_names(storage)
    return {name: optuna.load_study(study_name=name, storage=storage) for name in names}


@pytest.fixture
def searched(runs):
    record = runs.one("toy-guess", trials=3, seeds=(0,))
    assert record.status == "ok"
    return runs, record


def test_a_study_has_the_cells_name_and_every_trial(searched, tmp_path):
    runs, record = searched
    (search,) = stored_searches(runs.store, runs.catalog)
    path = tmp_path / "studies"
    assert write_studies(path, [search]) == 1
    ((name, study),) = loaded(path).items()
    assert name == f"toy | toy-tone | toy-guess | {record.cell.id[:8]}"
    assert study.direction.name == "MAXIMIZE"
    assert study.metric_names == ["accuracy"]
    assert study.user_attrs["cell"] == record.cell.id
    assert [(t.number, t.value, t.params) for t in study.trials] == [
        (t.trial, t.validation, t.params) for t in record.trials
    ]
    assert study.trials[0].user_attrs["seed"] == 0
    assert study.best_value == record.validation
    # One after the other from the start of the cell, each as long as its fit took.
    durations = [trial.duration.total_seconds() for trial in study.trials]
    paid = [sum(getattr(fit, name) for name in PAID) for fit in record.trials]
    assert durations == pytest.approx(paid, abs=1e-5)
    started = datetime.fromisoformat(record.provenance.started)
    assert study.trials[0].datetime_start.astimezone() == started
    assert study.trials[1].datetime_start == study.trials[0].datetime_complete


def test_a_search_that_is_running_is_shown_as_far_as_it_is(searched, tmp_path):
    runs, record = searched
    cell = msgspec.structs.replace(record.cell, protocol=msgspec.structs.replace(record.cell.protocol, trials=9))
    folder = CellFolder(runs.store.work(cell.id, 1))
    folder.record_start(cell)
    curve = (Point(4, 0.25), Point(8, None, 1.5), Point(12, 0.5))
    folder.save_trials([msgspec.structs.replace(record.trials[2], history=curve, digests={})])
    (running,) = [search for search in stored_searches(runs.store, runs.catalog) if search.cell == cell]
    write_studies(tmp_path / "studies", [running])
    (study,) = loaded(tmp_path / "studies").values()
    # Trials 0 and 1 are not finished yet.
    assert [trial.state.name for trial in study.trials] == ["WAITING", "WAITING", "COMPLETE"]
    assert study.trials[2].intermediate_values == {4: 0.25, 12: 0.5}


def test_a_search_whose_plugin_is_gone_is_shown_with_the_values_it_tried(searched, tmp_path, monkeypatch):
    runs, record = searched
    monkeypatch.delenv("TLBENCH_PLUGINS")
    (search,) = stored_searches(runs.store, Catalog.discover())
    guesses = [trial.params["guess"] for trial in record.trials]
    assert search.space["guess"] == Float(min(guesses), max(guesses))
    write_studies(tmp_path / "studies", [search])
    (study,) = loaded(tmp_path / "studies").values()
    assert [trial.params["guess"] for trial in study.trials] == guesses


def test_an_error_is_minimised_in_its_own_sign_and_an_old_file_is_replaced(searched, tmp_path):
    _, record = searched
    path = tmp_path / "studies"
    search = StoredSearch(record.cell, METRICS["rmse"], observed_space(record.trials), record.trials)
    for _ in range(2):
        write_studies(path, [search])
    (study,) = loaded(path).values()
    assert study.direction.name == "MINIMIZE"
    assert study.best_value == min(trial.validation for trial in record.trials)
    assert [file.name for file in tmp_path.iterdir() if "studies" in file.name] == ["studies"]


def test_observed_domains_hold_all_values(searched):
    trial = searched[1].trials[0]
    settings = ({"lr": 0.5, "n": 1, "kind": "a", "fixed": 3}, {"lr": 0.25, "n": 4, "kind": True, "fixed": 3})
    trials = [msgspec.structs.replace(trial, params=params) for params in settings]
    assert observed_space(trials) == {"lr": Float(0.25, 0.5), "n": Int(1, 4), "kind": Choice(("a", True))}
