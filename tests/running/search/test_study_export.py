"""A search as a sqlite study for dashboards."""

import msgspec
import optuna
import pytest
from optuna.trial import TrialState

from tlbench import Choice, Float
from tlbench.contracts.record import Point
from tlbench.running.search import study_export
from tlbench.running.search.study import Trial


def exported(search, folder, name="cell"):
    path = folder / "a study.sqlite"
    search.export(path)
    assert [file.name for file in folder.iterdir()] == [path.name]
    return optuna.load_study(study_name=name, storage=f"sqlite:///{path}")


def plain(study):
    return [(t.number, t.state, t.value, t.params, t.intermediate_values, t.user_attrs) for t in study.trials]


@pytest.fixture
def mixed(searches):
    """A search with a failed trial, a pruned one, one in work, one never asked for, and a finished one after those."""
    trials = searches.all_of(searches.new())
    stored = {
        n: searches.result(Trial(n, trials[n]), history=[Point(10, 0.25), Point(20, None, 1.0)]) for n in (0, 1, 5)
    }
    stored[1] = msgspec.structs.replace(searches.result(Trial(1, trials[1]), "oom"), reason="no room")
    stored[2] = searches.result(Trial(2, trials[2]), "pruned", history=[Point(10, 0.5), Point(20, 0.125)])
    search = searches.new(stored, lag=4)
    assert search.ask().number == 3
    return search


def test_a_study_has_every_trial_under_its_number(searches, mixed, tmp_path):
    study = exported(mixed, tmp_path)
    states = [trial.state for trial in study.trials]
    complete, failed, pruned, running, waiting, last = states
    assert (complete, failed, pruned) == (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)
    assert (running, waiting, last) == (TrialState.RUNNING, TrialState.WAITING, TrialState.COMPLETE)
    first, _, stopped, *_ = study.trials
    setting = searches.all_of(searches.new())[0]
    assert first.params == {
        name: setting[name] if name != "kind" else repr(setting[name]) for name in ("lr", "n", "kind")
    }
    assert first.value == searches.score(setting)
    assert first.intermediate_values == {10: 0.25}
    assert stopped.intermediate_values == {10: 0.5, 20: 0.125}
    assert study.best_trial.number in (0, 5)


def test_values_are_the_metrics_own(searches, tmp_path):
    search = searches.new(trials=3, sign=-1.0, space={"lr": Float(1e-4, 1e-1), "kind": Choice(("a", False, 3))})
    searches.all_of(search, lambda t: searches.result(t, validation=2.0 + t.number, history=[Point(1, 9.0)]))
    study = exported(search, tmp_path)
    assert study.direction.name == "MINIMIZE"
    assert [trial.value for trial in study.trials] == [2.0, 3.0, 4.0]
    assert study.best_trial.number == 0
    assert study.trials[0].intermediate_values == {1: 9.0}
    assert all(trial.params["kind"] in ("a", False, 3) for trial in study.trials)


def test_inserted_rows_equal_those_that_optuna_writes(mixed, tmp_path, monkeypatch):
    (tmp_path / "ours").mkdir()
    (tmp_path / "optunas").mkdir()
    inserted = plain(exported(mixed, tmp_path / "ours"))
    monkeypatch.setattr(study_export, "_INSERTS", (*study_export._INSERTS[:-1], "INSERT INTO nothing VALUES (?, ?, ?)"))
    assert plain(exported(mixed, tmp_path / "optunas")) == inserted


def test_an_existing_study_is_replaced(searches, mixed, tmp_path):
    assert len(exported(mixed, tmp_path).trials) == 6
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    with path.open("rb") as reading:
        assert len(exported(searches.new(), tmp_path).trials) == 0
        assert reading.read() == whole, "who reads the old file goes on reading it"


def test_a_failed_export_leaves_no_file(mixed, tmp_path, monkeypatch):
    mixed.export(tmp_path / "s.sqlite")
    before = (tmp_path / "s.sqlite").read_bytes()

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(study_export, "_insert", full)
    with pytest.raises(OSError, match="no space"):
        mixed.export(tmp_path / "s.sqlite")
    assert [file.name for file in tmp_path.iterdir()] == ["s.sqlite"]
    assert (tmp_path / "s.sqlite").read_bytes() == before


def test_stored_params_outside_the_space_are_left_out(searches, tmp_path):
    stored = {0: searches.result(Trial(0, {"lr": 7.0, "n": 3, "kind": "z"}), validation=1.0)}
    (trial,) = exported(searches.new(stored), tmp_path).trials
    assert trial.params == {"n": 3}
    assert trial.value == 1.0


def test_exports_of_one_process_have_their_own_names_directions_and_trials(searches, tmp_path):
    for number, (identity, sign) in enumerate((("a", 1.0), ("b", 1.0), ("c", -1.0), ("d", -1.0))):
        search = searches.new(trials=number + 1, identity=identity, sign=sign)
        searches.all_of(search)
        study = exported(search, tmp_path, identity)
        assert study.direction.name == ("MAXIMIZE" if sign > 0 else "MINIMIZE")
        assert len(study.trials) == number + 1
