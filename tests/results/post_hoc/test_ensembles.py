"""The ensemble of a task: chosen on validation, scored on test, and honest about what it leaves out."""

import msgspec
import numpy as np
import pytest

from tlbench.metrics import METRICS
from tlbench.metrics.scored import Scored
from tlbench.results.leaderboard import Table
from tlbench.results.post_hoc.ensemble_rows import with_ensembles
from tlbench.results.post_hoc.ensembles import NoEnsemble, ensemble_of
from tlbench.results.records.summaries import summaries_of

TARGETS = np.arange(40) % 2
SEEDS = (0, 1, 2)


def fits(two_classes, wrong, seeds=SEEDS, sure=0.9):
    """Returns predictions for each seed that are right with probability `sure`, except on the `wrong` examples."""
    positive = np.where(TARGETS == 1, sure, 1 - sure)
    positive[list(wrong)] = 1 - positive[list(wrong)]
    return {seed: two_classes(TARGETS, positive) for seed in seeds}


@pytest.fixture
def complaints():
    return []


@pytest.fixture
def three(made, two_classes):
    """Three cells that err on different examples, so that two outvote one; and `bad`, which never errs on test."""
    wrong_examples = {"good": range(4), "other": range(4, 9), "third": range(9, 14), "bad": range(40)}
    for strategy, wrong in wrong_examples.items():
        made.commit(strategy, fits(two_classes, wrong), fits(two_classes, () if strategy == "bad" else wrong))
    return made


def ensemble(made, complaints, metric="accuracy", task="toy-tone"):
    cells = [one for one in summaries_of(made.store.records()).cells if one.task == task]
    return ensemble_of(
        METRICS[metric], cells, made.splits, lambda cell, reason: complaints.append(f"{cell.strategy}: {reason}")
    )


def test_members_and_weights_come_from_validation_alone(three, complaints):
    found = ensemble(three, complaints)
    assert {one.strategy for one in found.members} == {"good", "other", "third"}
    assert found.weights == pytest.approx(np.full((3, 3), 1 / 3))
    assert found.values == (1.0, 1.0, 1.0)
    assert found.seeds == SEEDS
    assert complaints == []


def test_the_score_is_that_of_the_mean_of_probabilities(made, two_classes, complaints):
    rng = np.random.default_rng(3)

    def noisy(shift):
        return {
            seed: two_classes(TARGETS, np.clip(0.5 + (TARGETS - 0.5) * 0.2 + rng.normal(0, 0.15, 40) + shift, 0, 1))
            for seed in SEEDS
        }

    kept = {name: (noisy(0.0), noisy(0.0)) for name in ("a", "b", "c")}
    for name, (validation, test) in kept.items():
        made.commit(name, validation, test)
    found = ensemble(made, complaints)
    for place, seed in enumerate(SEEDS):
        mean = sum(
            weight * kept[one.strategy][1][seed].scores
            for one, weight in zip(found.members, found.weights[place], strict=True)
        )
        assert found.values[place] == pytest.approx(np.mean(mean.argmax(axis=1) == TARGETS))
    assert found.low < np.mean(found.values) < found.high
    assert found.interval_of == "strategy"
    assert len(found.members) > 1


def test_numbers_and_labels_are_averaged(made, complaints):
    rng = np.random.default_rng(0)
    targets = rng.normal(size=30)
    for name in ("a", "b"):
        numbers = {seed: Scored(targets, targets + rng.normal(size=30)) for seed in SEEDS}
        made.commit(name, numbers, numbers, ("pearson",))
    found = ensemble(made, complaints, "pearson")
    assert {one.strategy for one in found.members} == {"a", "b"}
    assert min(found.values) > 0.7
    many = (rng.random((30, 3)) < 0.5).astype(np.int64)
    for name in ("a", "b"):
        scores = {seed: np.clip(0.5 + (many - 0.5) * 0.3 + rng.normal(0, 0.2, (30, 3)), 0, 1) for seed in SEEDS}
        labels = {seed: Scored(many, (one > 0.5).astype(np.int64), one) for seed, one in scores.items()}
        made.commit(name, labels, labels, ("f1_micro",), task="toy-labels")
    found = ensemble(made, complaints, "f1_micro", "toy-labels")
    assert min(found.values) > 0.8


def test_a_fit_without_probabilities_counts_as_certain(made, two_classes, complaints):
    known = fits(two_classes, range(6), sure=0.6)
    bare = {seed: Scored(row.targets, row.values) for seed, row in fits(two_classes, range(6, 8)).items()}
    made.commit("probable", known, known)
    made.commit("bare", bare, bare)
    found = ensemble(made, complaints)
    assert [one.strategy for one in found.members] == ["bare"]
    assert found.values == pytest.approx((0.95,) * 3)


def test_texts_have_no_ensemble(made, complaints):
    texts = {seed: Scored([("yes",), ("no",)], ["yes", "yes"]) for seed in SEEDS}
    for name in ("a", "b"):
        made.commit(name, texts, texts, ("exact_match",))
    with pytest.raises(NoEnsemble, match="only probabilities and numbers can be averaged"):
        ensemble(made, complaints, "exact_match")


def without_digests(store, cell_id):
    """Writes a record as earlier versions did, so that the content of its files is what is judged."""
    record = next(one for one in store.records() if one.cell.id == cell_id)
    path = store.record_path(cell_id, record.attempt)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, digests={})))


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("missing", "no validation predictions"),
        ("damaged", "cannot be read"),
        ("empty", "cannot be read"),
        ("a folder", "no validation predictions"),
        ("others' examples", "its validation examples are not those of most cells"),
        ("fewer seeds", "2 seeds, and the record has 3"),
        ("negative", "not between 0 and 1"),
        ("unscaled", "do not sum to 1"),
        ("not finite", "not between 0 and 1"),
        ("no targets", "holds no predictions"),
    ],
)
def test_a_file_that_cannot_be_used_leaves_its_cell_out(three, complaints, two_classes, how, reason):
    import pandas as pd

    good = next(one.cell.id for one in three.store.records() if one.cell.strategy.name == "good")
    path = three.validation(good)
    table = pd.read_parquet(path)
    path.unlink()
    without_digests(three.store, good)
    if how == "a folder":
        path.mkdir()
    elif how == "damaged":
        path.write_bytes(b"PAR1 damaged PAR1")
    elif how == "empty":
        path.write_bytes(b"")
    elif how != "missing":
        changed = {
            "others' examples": lambda: table.assign(id=table["id"] + "x"),
            "fewer seeds": lambda: table[table["seed"] < 2],
            "negative": lambda: table.assign(scores=[[-0.5, 1.5]] * len(table)),
            "unscaled": lambda: table.assign(scores=[[0.5, 0.9]] * len(table)),
            "not finite": lambda: table.assign(scores=[[np.nan, 1.0]] * len(table)),
            "no targets": lambda: table.drop(columns="target"),
        }[how]()
        changed.to_parquet(path)
    found = ensemble(three, complaints)
    assert "good" not in {one.strategy for one in found.members}
    [complaint] = complaints
    assert complaint.startswith("good: ")
    assert reason in complaint
    assert "\n" not in complaint


def test_a_member_whose_test_predictions_are_not_those_of_its_record_is_left_out(three, complaints):
    good = next(one for one in three.store.records() if one.cell.strategy.name == "good")
    bad = next(one for one in three.store.records() if one.cell.strategy.name == "bad")
    three.store.predictions(good).write_bytes(three.store.predictions(bad).read_bytes())
    without_digests(three.store, good.cell.id)
    found = ensemble(three, complaints)
    assert "good" not in {one.strategy for one in found.members}
    assert "bad" not in {one.strategy for one in found.members}
    assert "its score is not the recorded one" in complaints[0]


def test_two_cells_are_needed(made, two_classes, complaints):
    made.commit("a", fits(two_classes, range(3)), fits(two_classes, range(3)))
    made.commit("old", None, fits(two_classes, range(5)))
    with pytest.raises(NoEnsemble, match="it takes two cells with validation predictions, and 1 can take part"):
        ensemble(made, complaints)


def test_seeds_that_most_cells_have_are_paired(made, two_classes, complaints):
    for name, seeds in (("a", (0, 1)), ("b", (0, 1, 2)), ("c", (5,))):
        predictions = fits(two_classes, range(3), seeds)
        made.commit(name, predictions, predictions)
    found = ensemble(made, complaints)
    assert found.seeds == (0, 1)
    assert found.interval_of == "one fit"
    assert complaints == ["c: it lacks a seed of 0, 1"]


def test_no_test_file_is_opened_before_the_members_are_chosen(three, complaints, monkeypatch):
    from tlbench.results.post_hoc import ensembles, stored_splits

    opened = []
    read, weigh = stored_splits.read_predictions, ensembles.greedy_weights
    monkeypatch.setattr(
        stored_splits, "read_predictions", lambda path, **more: opened.append(path.name) or read(path, **more)
    )
    monkeypatch.setattr(ensembles, "greedy_weights", lambda *given: opened.append("chosen") or weigh(*given))
    ensemble(three, complaints)
    last = len(opened) - opened[::-1].index("chosen")
    assert all(name.endswith(".validation.parquet") or name == "chosen" for name in opened[:last])
    assert opened[last:]
    assert not any(name.endswith(".validation.parquet") for name in opened[last:])


def row_of(made, complaints):
    summaries = summaries_of(made.store.records())
    table = with_ensembles(Table(summaries), summaries, METRICS, made.splits, complaints.append)
    return table, table.rows()


def test_it_is_a_row_without_a_rank_and_other_rows_stay_as_they_are(three, complaints):
    table, rows = row_of(three, complaints)
    *others, row = rows
    before = Table(summaries_of(three.store.records())).rows()
    assert others == before
    assert (row["strategy"], row["backbone"], row["cell"], row["status"]) == ("ensemble", "", "", "ok")
    assert (row["rank"], row["ranked_by"], row["gain"], row["expected"]) == (None, "ensemble", None, False)
    assert row["notes"] == ("ensemble of toy | good 0.33, toy | other 0.33, toy | third 0.33 (mean weights over seeds)")
    assert (row["seeds"], row["metric"], row["n"]) == (3, "accuracy", 40)
    assert row["metric.accuracy"] == row["value"]
    assert len(table.frame()) == 5


def test_costs_are_those_of_the_members_added_up(made, two_classes, complaints):
    for name, wrong in (("a", range(4)), ("b", range(4, 8)), ("c", range(8, 12))):
        made.commit(name, fits(two_classes, wrong), fits(two_classes, wrong))
    summaries = summaries_of(made.store.records())
    summaries.cells = [
        msgspec.structs.replace(one, fit_seconds=1.0, search_seconds=10.0, parameters=5, host_peak_bytes=7)
        for one in summaries.cells
    ]
    table = with_ensembles(Table(summaries), summaries, METRICS, made.splits, complaints.append)
    row = table.rows()[-1]
    assert "toy | a 0.33" in row["notes"]
    assert (row["fit_seconds"], row["search_seconds"]) == (3.0, 30.0)
    assert (row["parameters"], row["host_peak_bytes"]) == (15, 7)


def test_hidden_rows_may_be_members(three, complaints):
    summaries = summaries_of(three.store.records())
    whole = Table(summaries)
    strategies = whole.columns(["strategy"])["strategy"]
    some = whole.pick([strategies.index("bad")])
    rows = with_ensembles(some, summaries, METRICS, three.splits, complaints.append).rows()
    assert [row["strategy"] for row in rows] == ["bad", "ensemble"]
    assert "good" in rows[1]["notes"]


def test_a_task_without_one_says_why(made, two_classes, complaints):
    made.commit("old", None, fits(two_classes, range(5)))
    made.commit("older", None, fits(two_classes, range(5)))
    _, rows = row_of(made, complaints)
    assert len(rows) == 2
    assert complaints == [
        "toy-tone: 2 cells take no part in the ensemble: no validation predictions",
        "toy-tone: no ensemble: it takes two cells with validation predictions, and none can take part",
    ]
