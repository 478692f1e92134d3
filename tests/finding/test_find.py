"""Whole searches among the toys: what they answer, what they store, and how they go on after a kill."""

from dataclasses import replace

import pytest

from tests.finding.conftest import Recorder
from tlbench.contracts.errors import StoreError, UsageError
from tlbench.finding import driver
from tlbench.finding.answering.answer import FindAnswer
from tlbench.finding.answering.constant_answer import BEST_CONSTANT
from tlbench.finding.finals.finalists import Finals
from tlbench.finding.find import find
from tlbench.finding.reserve import FEW_ROWS
from tlbench.results.models.kept_models import kept_models
from tlbench.results.records.store import Store
from tlbench.running.cells.cell_run import CellRun
from tlbench.running.executors.time_alarm import alarm_after
from tlbench.testing.toys import ToyTask


class Killed(BaseException):
    """Stands for a kill: nothing in the search catches it."""


def kill():
    raise Killed


def essence(answer):
    """Returns what kills must not change: everything but seconds, and the rivals that seconds choose."""
    winner = answer.winner
    tied = [(one.title, one.validation, one.fit) for one in answer.tied]
    return winner.title, winner.validation, winner.fit, winner.cell, winner.seeds, winner.test, tied


def scores(folder):
    return [(one.proposed.candidate, one.proposed.part, one.outcome.score) for one in folder.fits()]


def test_a_search_answers_with_a_winner_that_is_tested_after_it_is_frozen(finds):
    told = Recorder()
    answer = finds(told)
    titles = [title for title, _ in told.fits]
    assert titles == ["majority", "tfidf", "toy | toy-fit", "toy | toy-tune"]
    record = Store.open(finds.out).record(answer.winner.cell)
    assert answer.winner.seeds == len(record.fits) == 3
    assert answer.winner.test.low <= answer.winner.test.value <= answer.winner.test.high
    assert record.best_params == answer.winner.params
    assert record.validation == answer.winner.validation, "the final fit of the first seed is the search's"
    assert record.test_reads == 4, "three final fits, and one order that scores them"
    assert {one.candidate for one in answer.spent} == set(titles)
    assert answer.untried == ()
    assert answer.optimism.value == pytest.approx(record.validation - answer.winner.test.value)
    assert answer.optimism.chosen_from == 4
    assert (answer.baseline.backbone, answer.baseline.fit in (0, 1)) == ("", True)
    # Asked again, it answers without another fit.
    again = Recorder()
    assert finds(again) == answer
    assert not again.fits
    assert finds.folder().answer(FindAnswer) == answer


def test_a_search_that_is_killed_again_and_again_ends_with_the_same_answer(finds, tmp_path):
    whole = finds()
    expected = scores(finds.folder())
    finds.out = tmp_path / "killed"
    for fits in (1, 2):
        with pytest.raises(Killed):
            finds(Recorder(kill, fits))
    folder = finds.folder()
    assert len([one for one in folder.fits() if one.outcome]) == 3
    # A kill in the middle of a fit leaves a proposal without an outcome, which is then carried out first.
    (folder.fit_folder(2) / "outcome.json").unlink()
    interrupted = Recorder()
    interrupted.finals = lambda finalist, entry: kill()
    with pytest.raises(Killed):
        finds(interrupted)
    assert [title for title, _ in interrupted.fits] == ["toy | toy-fit", "toy | toy-tune"]
    last = Recorder()
    assert essence(finds(last)) == essence(whole)
    assert not last.fits
    assert scores(finds.folder()) == expected


def test_seconds_of_earlier_processes_count(finds):
    finds.folder().clock.write_text("3599.5\n")
    told = Recorder()
    answer = finds(told)
    assert [title for title, _ in told.fits] == ["majority"], "the first score is waited for, and no other begins"
    assert answer.seconds >= 3599.5
    assert {one.candidate: one.reason.partition(":")[0] for one in answer.untried}["toy | toy-fit"] == "no time left"
    assert answer.winner.title == "majority"


def test_a_stopped_fit_is_a_prefix_and_one_that_reports_nothing_counts_as_whole(finds):
    told = Recorder()
    answer = finds(told, policy="short-first")
    fits = {(title, fit.proposed.part): fit.outcome for title, fit in told.fits}
    stopped, whole = fits["toy | toy-tune", 8], fits["toy | toy-tune", None]
    assert (stopped.status, whole.status) == ("pruned", "ok")
    assert stopped.score == whole.fit.history[0].score
    assert stopped.fit.examples_seen < whole.fit.examples_seen
    # A baseline reports no scores, so its stopped fit is the whole one and is not made again.
    assert fits["majority", 8].status == "ok"
    assert ("majority", None) not in fits
    assert {one.candidate: one.stopped for one in answer.spent}["toy | toy-tune"] == 1


def test_a_condition_ends_the_search(finds):
    told = Recorder()
    answer = finds(told, until="accuracy>0.1", minutes=50)
    assert [title for title, _ in told.fits] == ["majority"]
    assert any("the condition was met" in note for note in answer.notes)
    assert answer.winner.is_constant


def test_failures_are_named_and_the_search_goes_on(finds):
    answer = finds(strategies=("toy-diverging", "toy-failing", "toy-fit"))
    spent = {one.candidate: one for one in answer.spent}
    assert spent["toy | toy-diverging"].status == "diverged"
    assert {one.candidate for one in answer.untried} == {"toy | toy-diverging", "toy | toy-failing"}
    assert "fails on purpose" in next(one.reason for one in answer.untried if "failing" in one.candidate)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"minutes": 0.0}, "more than 0 minutes"),
        ({"until": "f1>0.5"}, "compared by accuracy"),
        ({"until": "accuracy"}, "--until accuracy"),
        ({"until": "accuracy>90"}, "at most 1"),
        ({"policy": "nobody"}, "unknown policy"),
        ({"licences": ("gpl*",)}, "its licence is Apache-2.0"),
        ({"max_parameters": 10}, "unknown"),
        ({"backbones": ("nothing-*",)}, "no installed backbone matches"),
        ({"backbones": ("cifar-resnet20",)}, "reads image"),
        ({"task": "toy-tone[train=1,validation=0,test=1]"}, "toy-tone"),
    ],
)
def test_a_mistake_is_found_before_a_folder_is_made(finds, what, said):
    with pytest.raises(UsageError, match=said.replace("*", r"\*")):
        finds(**what)
    assert not finds.out.exists()


def test_a_backbone_that_predicts_too_slowly_is_left_out(finds):
    with pytest.raises(UsageError, match=r"ms for one input \(p50 .*more than 1e-06 ms"):
        finds(max_latency_ms=1e-6)
    (measured,) = finds.folder(max_latency_ms=1e-6).latencies().values()
    assert [one.rows for one in measured] == [1, 32]
    assert all(0 < one.p50_seconds <= one.p95_seconds and one.repetitions >= 5 for one in measured)


def test_the_saved_model_of_the_winner_is_measured_too(finds):
    asked = finds.asked(max_latency_ms=60_000.0, strategies=("toy-tune",))
    answer = find(replace(asked, settings=replace(asked.settings, keep_models="best-seed")), Recorder())
    (note,) = [note for note in answer.notes if note.startswith("the saved model predicts in ")]
    assert note.endswith("(95% points): within 60000 ms")
    # It is the model with the trained head, measured by itself, and kept for a process that goes on.
    measured = finds.folder(max_latency_ms=60_000.0, strategies=("toy-tune",)).latencies()
    assert set(measured) == {"toy", answer.winner.cell}
    assert all([one.rows for one in found] == [1, 32] for found in measured.values())


def test_measuring_latencies_ends_with_its_share_of_the_time(finds):
    finds.folder(max_latency_ms=1000).clock.write_text("1100\n")  # of an hour
    with pytest.raises(UsageError, match="its latency could not be measured within the time"):
        finds(max_latency_ms=1000)


def test_a_search_does_not_go_on_with_other_data(finds, monkeypatch):
    with pytest.raises(Killed):
        finds(Recorder(kill, 1))
    split = ToyTask.split
    monkeypatch.setattr(ToyTask, "split", lambda self, name: split(ToyTask(draw=5), name))
    with pytest.raises(UsageError, match="the data have changed"):
        finds()


def test_a_policy_that_raises_is_named(finds):
    with pytest.raises(UsageError, match="the policy raising failed: RuntimeError: on purpose"):
        finds(policy="raising")


def test_a_search_whose_workers_do_not_start_answers_with_a_constant(finds, monkeypatch):
    limits = []

    def soon(seconds):
        limits.append(seconds)
        return alarm_after(None if seconds is None else 0.05)

    monkeypatch.setattr(driver, "alarm_after", soon)
    answer = finds(executor="never-starting", minutes=59)
    assert all(3400 < one < 3700 for one in limits), "the time that the search has, and a little for a first score"
    first = Recorder(kill, 1)
    with pytest.raises(Killed):
        finds(first)
    ((title, majority),) = first.fits
    assert title == "majority"
    assert limits[-1] is None, "a fit in this process has a limit of its own"
    assert (answer.winner.strategy, answer.winner.validation) == (BEST_CONSTANT, majority.outcome.score)
    assert (answer.winner.test, answer.winner.cell, answer.winner.is_constant) == (None, "", True)
    assert "no worker started in time" in next(one.reason for one in answer.untried if one.candidate == "majority")


def test_settings_that_tie_on_few_rows_are_compared_in_folds(finds):
    answer = finds()
    finals = finds.folder().finals(Finals)
    scores = finals.fold_scores
    assert answer.validation_rows < FEW_ROWS
    assert {answer.winner.fit, *(one.fit for one in answer.tied)} <= {*scores, *finals.tied, answer.winner.fit}
    assert scores[answer.winner.fit] == max(scores.values())
    assert len(scores) >= 2
    assert any("5-fold cross-validation chose between" in note for note in answer.notes)


def test_the_time_that_the_finals_leave_goes_to_rivals(finds):
    answer = finds()
    finals = finds.folder().finals(Finals)
    assert {one.fit: one.seeds for one in answer.tied} == {one.fit: 3 if one.backbone else 1 for one in answer.tied}
    assert all(one.test is not None for one in answer.tied)
    assert {one.fit for one in finals.rivals} <= {one.fit for one in answer.tied}
    # Each setting has one record.
    cells = [(one.cell.strategy.name, one.best_params) for one in Store.open(finds.out).records()]
    assert len(cells) == len({(name, tuple(params.items())) for name, params in cells})


def test_a_final_that_runs_out_of_time_leaves_one_record_with_its_model(finds, monkeypatch):
    before = CellRun.seconds_left

    def seconds_left(run, purpose):
        seeds, finals = len(run.cell.protocol.seeds), run._finals
        return -1.0 if seeds == 3 and finals is not None and finals.count >= 2 else before(run, purpose)

    monkeypatch.setattr(CellRun, "seconds_left", seconds_left)
    asked = finds.asked()
    settings = replace(asked.settings, keep_models="best-seed")
    answer = find(replace(asked, settings=settings), Recorder())
    store = Store.open(finds.out)
    assert {one.status for one in store.records()} == {"ok"}
    record = store.record(answer.winner.cell)
    assert answer.winner.seeds == len(record.fits) == 2
    (model,) = kept_models(store.root, record)
    assert model.manifest.cell == answer.winner.cell


def test_two_processes_do_not_work_on_one_search(finds):
    lease = finds.folder().lease()
    with pytest.raises(StoreError, match="another process"):
        finds()
    lease.release()
