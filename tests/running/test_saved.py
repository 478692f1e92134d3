"""The best predictor of a search is on disk where that pays: a kill costs the winner no second fit."""

import pytest

from tlbench.running.cell_finals import CellFinals
from tlbench.running.fitting import process, saved


@pytest.fixture
def always(monkeypatch):
    """Saves every fit, however short."""
    monkeypatch.setattr(saved, "SHARE", float("inf"))


@pytest.fixture
def killed(counted, monkeypatch):
    """Runs a search that ends, with its process, before the first final fit; returns the cell's folder."""

    def run(**what):
        with monkeypatch.context() as patched:
            patched.setattr(CellFinals, "ask", interrupted)
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


@pytest.mark.parametrize("how", ["truncated", "other weights", "other result", "no predictor"])
def test_what_was_saved_and_is_damaged_is_fitted_again(counted, killed, always, essence, how):
    folder = killed()
    counted.made()
    [name] = folders(folder)
    head = folder / name / "predictor" / "head.safetensors"
    if how == "truncated":
        head.write_bytes(head.read_bytes()[:-9])
    elif how == "other weights":
        from safetensors.torch import load_file, save_file

        save_file({name: -3 * weight for name, weight in load_file(head).items()}, head)
    elif how == "other result":
        (folder / name / "result.json").write_bytes(b"{}")
    else:
        head.unlink()
    record = counted.one("counting", trials=4, seeds=2)
    assert sorted(counted.made()) == [0, 1]
    assert essence(record) == essence(counted.one("counting", trials=4, seeds=2, fresh="all"))


def test_a_predictor_that_cannot_be_written_costs_nothing(counted, killed, always, monkeypatch):
    from tlbench.testing.toys import ToyPredictor

    def full(self, folder):
        folder.mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ToyPredictor, "save", full)
    assert folders(killed()) == []
    record = counted.one("counting", trials=4, seeds=2)
    assert record.status == "ok"
