"""The times of fits: which are the most similar, and what is kept between runs."""

from __future__ import annotations

import pytest

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.running.monitoring.fit_times import MAX_KEPT, FitKind, FitTimes, fit_kind


def kind(strategy="s", backbone="b", task="t", budget="cpu:1 96", purpose="search"):
    return FitKind(strategy, backbone, task, budget, purpose)


def test_the_most_similar_fits_are_expected(tmp_path):
    times = FitTimes(tmp_path / "times.json")
    times.add(kind(), 30.0, 3)
    times.add(kind(task="other"), 20.0, 1)
    assert times.expected(kind()) == (10.0, True)
    assert times.expected(kind(task="new")) == (50.0 / 4, True)
    assert times.expected(kind(task="new", budget="cpu:1 500")) == (50.0 / 4, False)
    for unknown in (kind("s2"), kind(backbone="b2"), kind(purpose="final")):
        assert times.expected(unknown) is None


def test_later_runs_know_the_times_and_their_own_come_first(tmp_path):
    file = tmp_path / "cache" / "times.json"
    first = FitTimes(file)
    first.add(kind(), 30.0, 3)
    first.add(kind("s2"), 4.0, 1)
    first.save()
    second = FitTimes(file)
    assert second.expected(kind()) == (10.0, False)
    second.add(kind(), 7.0, 1)
    assert second.expected(kind()) == (7.0, True)
    second.save()
    third = FitTimes(file)
    assert third.expected(kind()) == (7.0, False)
    assert third.expected(kind("s2")) == (4.0, False)


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"format":2,"fits":[]}', b'{"format":1,"fits":[["s"]]}', b"\xff" * 99]
)
def test_a_damaged_file_is_as_none_and_is_replaced(tmp_path, content):
    file = tmp_path / "times.json"
    file.write_bytes(content)
    times = FitTimes(file)
    assert times.expected(kind()) is None
    times.save()
    # Nothing was measured, so nothing is written.
    assert file.read_bytes() == content
    times.add(kind(), 1.0, 1)
    times.save()
    assert FitTimes(file).expected(kind()) == (1.0, False)


def test_the_file_stays_small_and_forgets_the_oldest(tmp_path):
    file = tmp_path / "times.json"
    times = FitTimes(file)
    for number in range(MAX_KEPT + 5):
        times.add(kind(f"s{number}"), 1.0, 1)
    times.save()
    kept = FitTimes(file)
    assert kept.expected(kind("s4")) is None
    assert kept.expected(kind("s5")) is not None
    assert file.stat().st_size < 100 * MAX_KEPT


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    times = FitTimes(tmp_path / "file" / "times.json")
    times.add(kind(), 1.0, 1)
    times.save()
    FitTimes(None).save()


def test_a_kind_is_of_strategy_backbone_task_and_budget():
    def made(task="t", place="cpu:1", **protocol):
        return fit_kind(Cell(Ref(task), Ref("s"), Protocol(**protocol), Ref("b")), "search", place)

    assert made() == made()
    others = [made("u"), made(place="cuda:1"), made(max_steps=9), made(epochs=2), made(train_limit=9)]
    assert len({made(), *others}) == 6
    # Own files have long names.
    assert len(made("csv:" + "x" * 900).task) == 12
    # The number of trials and seeds does not change what one of them takes.
    assert made(trials=9, seeds=(0, 1)) == made()
