"""The best predictor of a search is saved, so that the winner is not fitted again after a kill."""

import json

import pytest

from tlbench.running.cells.final_fits import FinalFits
from tlbench.running.fitting import process
from tlbench.running.fitting import saved_predictors as saved
from tlbench.system.integrity.sealed_json import unsealed


@pytest.fixture
def always(monkeypatch):
    """Saves every fit, however short."""
    monkeypatch.setattr(saved, "SHARE", float("inf"))


@pytest.fixture
def killed(counted, monkeypatch):
    """Runs a search that ends, with its process, before the first final fit; returns the cell's folder."""

    def run(**what):
        with monkeypatch.context() as patched:
            patched.setattr(FinalFits, "ask", interrupted)
            with pytest.raises(KeyboardInterrupt):
                counted.one("counting", trials=4, seeds=2, **what)
        monkeypatch.setattr(process, "_worker", None)
        [folder] = [path for path in (counted.store.root / "work").iterdir() if path.is_dir()]
        return folder

    return run


def interrupted(self, together):
    raise KeyboardInterrupt


def folders(folder):
    return sorted(path.name for path in folder.iterdir() if "saved" in path.name)


def test_the_winner_is_not_fitted_again_after_a_kill(counted, killed, always, essence):
    folder = killed()
    assert counted.made() == [0, 0, 0, 0]
    assert len(folders(folder)) == 1, "the best alone is kept"
    record = counted.one("counting", trials=4, seeds=2)
    assert counted.made() == [1]
    assert folders(folder) == []
    calm = counted.one("counting", trials=4, seeds=2, fresh="all")
    assert counted.made() == [0, 0, 0, 0, 1]
    assert essence(record) == essence(calm)


def test_short_fits_are_made_again_and_not_saved(counted, killed):
    folder = killed()
    assert folders(folder) == []
    counted.made()
    counted.one("counting", trials=4, seeds=2)
    assert sorted(counted.made()) == [0, 1]


@pytest.mark.parametrize("how", ["truncated", "other weights", "no result", "another fit", "a link", "no predictor"])
def test_what_was_saved_and_is_damaged_is_fitted_again(counted, killed, always, essence, tmp_path, how):
    folder = killed()
    counted.made()
    [name] = folders(folder)
    head = folder / name / "predictor" / "head.safetensors"
    if how == "truncated":
        head.write_bytes(head.read_bytes()[:-9])
    elif how == "other weights":
        from safetensors.torch import load_file, save_file

        save_file({name: -3 * weight for name, weight in load_file(head).items()}, head)
    elif how == "no result":
        (folder / name / "result.json").write_bytes(b"{}")
    elif how == "another fit":
        # One of the same setting, by a process that was killed before it could tell of it.
        path = folder / name / "result.json"
        saved = json.loads(unsealed(path.read_bytes()))
        saved["result"]["fit_seconds"] += 1.0
        path.write_text(json.dumps(saved))
    elif how == "a link":
        head.rename(tmp_path / "head.safetensors")
        head.symlink_to(tmp_path / "head.safetensors")
    else:
        head.unlink()
    record = counted.one("counting", trials=4, seeds=2)
    assert sorted(counted.made()) == [0, 1]
    assert essence(record) == essence(counted.one("counting", trials=4, seeds=2, fresh="all"))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("cannot"), MemoryError()])
def test_a_predictor_that_cannot_be_written_costs_nothing(counted, killed, always, monkeypatch, error):
    from tlbench.testing.toy_predictors import ToyPredictor

    def broken(self, folder):
        folder.mkdir()
        raise error

    monkeypatch.setattr(ToyPredictor, "save", broken)
    assert folders(killed()) == []
    record = counted.one("counting", trials=4, seeds=2)
    assert record.status == "ok"


def test_what_an_earlier_process_saved_makes_room(counted, killed, always, monkeypatch):
    folder = killed()
    [name] = folders(folder)
    [path] = folder.glob(f"trials-{name.removeprefix('saved-')}.json")
    path.unlink()  # as though it had been killed before it could tell of this fit
    counted.made()
    counted.one("counting", trials=4, seeds=2)
    assert sorted(counted.made()) == [0, 1]
    assert folders(folder) == []


def test_saved_predictors_go_with_a_cell_that_was_recorded(counted, killed, always):
    folder = killed()
    counted.store.tidy(folder)
    assert folders(folder) == []
