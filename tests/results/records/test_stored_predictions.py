"""Predictions of every kind survive a round trip through a file, and those of two cells are compared in pairs."""

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tlbench.contracts.record import TestScore
from tlbench.metrics import METRICS
from tlbench.metrics.resampling import bootstrap, score
from tlbench.metrics.scored import Scored, objects
from tlbench.results.columns import rows_of
from tlbench.results.leaderboard import frame
from tlbench.results.records.stored_predictions import columns_of, read_predictions, scored_in
from tlbench.results.stats import paired_difference

N = 60
KINDS = {
    "classes": "log_loss", "labels": "f1_micro", "numbers": "pearson", "tags": "entity_f1", "answers": "answer_f1",
    "texts": "chrf",
}  # fmt: skip


def predicted(kind, right, seed=0):
    """Returns predictions with about this accuracy; the same examples are hard for every seed."""
    rng = np.random.default_rng(7)
    hardness = rng.random(N)
    hit = hardness + np.random.default_rng(seed).normal(size=N) * 0.05 < right
    if kind == "classes":
        targets = rng.integers(0, 3, N)
        values = np.where(hit, targets, (targets + 1) % 3)
        return Scored(targets, values, np.eye(3, dtype=np.float32)[values] * 0.5 + np.float32(0.5 / 3))
    if kind == "labels":
        targets = rng.integers(0, 2, (N, 4))
        return Scored(targets, np.where(hit[:, None], targets, 1 - targets), np.full((N, 4), 0.5, np.float32))
    if kind == "numbers":
        targets = rng.normal(size=N)
        return Scored(targets, np.where(hit, targets, -targets))
    if kind == "tags":
        targets = [tuple(rng.choice(["O", "B-A", "I-A", "B-B"], rng.integers(1, 5))) for _ in range(N)]
        return Scored(
            objects(targets), objects([t if h else ("O",) * len(t) for t, h in zip(targets, hit, strict=True)])
        )
    targets = [tuple(f"w{i} x{j} y" for j in range(i % 3)) for i in range(N)]
    if kind == "texts":
        targets = [target or ("z w",) for target in targets]
    return Scored(objects(targets), objects([(t or ("",))[0] if h else "q" for t, h in zip(targets, hit, strict=True)]))


def table_of(scored, seed=0):
    return pa.table(columns_of(seed, [f"e{i:02}" for i in range(N)], scored))


def test_groups_are_read_in_the_order_of_the_ids(tmp_path):
    scored = predicted("classes", 0.8)
    for groups in (["a", "b", ""] * (N // 3), None):
        table = table_of(scored)
        if groups:
            table = table.append_column("group", pa.array(groups))
        pq.write_table(table.take(list(range(N))[::-1]), tmp_path / "p.parquet")
        stored = read_predictions(tmp_path / "p.parquet").groups
        if groups is None:
            assert stored is None
        else:
            assert stored.tolist()[:6] == [0, 1, 2, 0, 1, 3]
            assert len(set(stored.tolist())) == 2 + N // 3


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_survive_a_round_trip(kind, tmp_path):
    scored = predicted(kind, 0.8)
    pq.write_table(table_of(scored), tmp_path / "p.parquet")
    back = scored_in(pq.read_table(tmp_path / "p.parquet"), positive=2)
    assert (back.kind, back.positive) == (scored.kind, 2)
    assert back.targets.dtype == scored.targets.dtype
    for name in ("targets", "values", "scores"):
        before, after = getattr(scored, name), getattr(back, name)
        assert (before is None) == (after is None)
        assert before is None or (before.shape == after.shape and before.tolist() == after.tolist())


def test_a_column_says_what_it_is():
    types = {
        kind: [str(table_of(predicted(kind, 0.5)).schema.field(name).type) for name in ("target", "value")]
        for kind in KINDS
    }
    assert types == {
        "classes": ["int64", "int64"],
        "labels": ["list<item: int64>", "list<item: int64>"],
        "numbers": ["double", "double"],
        "tags": ["list<item: string>", "list<item: string>"],
        "answers": ["list<item: string>", "string"],
        "texts": ["list<item: string>", "string"],
    }


@pytest.mark.parametrize(("kind", "metric"), KINDS.items())
def test_seeds_are_put_in_order_and_compared_in_pairs(kind, metric, tmp_path):
    found = []
    for name, right in (("good", 0.9), ("bad", 0.4)):
        table = pa.concat_tables([table_of(predicted(kind, right, seed), seed) for seed in (3, 1)])
        shuffled = table.take(np.random.default_rng(0).permutation(2 * N))
        pq.write_table(shuffled, tmp_path / f"{name}.parquet")
        found.append(read_predictions(tmp_path / f"{name}.parquet", METRICS[metric].reads_scores))
    good, bad = found
    assert good.seeds == (1, 3)
    for row, seed in zip(good.scored, good.seeds, strict=True):
        assert score(metric, row) == pytest.approx(score(metric, predicted(kind, 0.9, seed)), abs=1e-12)
    difference = paired_difference(metric, good, bad, resamples=200)
    assert (difference.value < 0) == (metric == "log_loss")
    assert difference.p < 0.02


def test_probabilities_are_read_where_a_metric_needs_them(tmp_path):
    pq.write_table(table_of(predicted("classes", 0.8)), tmp_path / "p.parquet")
    assert read_predictions(tmp_path / "p.parquet").scores is None
    assert read_predictions(tmp_path / "p.parquet", with_scores=True).scores.shape == (1, N, 3)


@pytest.mark.parametrize(
    "column",
    [[[1], [1, 2]], [[1], [1, 2, 3]], [None, 1], ["a", None], [[None], [1]], [{"a": 1}, {"a": 2}], [b"a", b"b"]],
)
def test_columns_that_are_not_predictions_are_not_read(column, tmp_path):
    table = pa.table({"seed": [0, 0], "id": ["a", "b"], "target": [0, 1], "value": column})
    pq.write_table(table, tmp_path / "p.parquet")
    assert read_predictions(tmp_path / "p.parquet") is None


def record_of(made, kind, metric, strategy, right):
    cell = made.cell("some-task", strategy, seeds=(0, 1))
    scores = []
    for seed in (0, 1):
        scored = predicted(kind, right, seed)
        low, high = bootstrap(metric, scored, resamples=100)
        scores.append(TestScore(metric, seed, score(metric, scored), low, high, N))
    stored = pa.concat_tables([table_of(predicted(kind, right, seed), seed) for seed in (0, 1)]).to_pandas()
    return msgspec.structs.replace(made.record(cell, None, (metric,)), scores=tuple(scores)), stored


@pytest.mark.parametrize("error", [pa.ArrowNotImplementedError, pa.ArrowCapacityError, pa.ArrowInvalid])
def test_whatever_pyarrow_raises_on_a_damaged_file_is_a_value_error(error, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise error("Integers with more than 64 bits not implemented")

    pq.write_table(pa.table({"seed": [0]}), tmp_path / "p.parquet")
    monkeypatch.setattr(pq, "ParquetFile", refuse)
    with pytest.raises(ValueError, match="more than 64 bits"):
        read_predictions(tmp_path / "p.parquet")


@pytest.mark.parametrize(("kind", "metric"), KINDS.items())
def test_a_leaderboard_ranks_every_kind_by_paired_tests(kind, metric, made):
    both = [record_of(made, kind, metric, name, right) for name, right in (("worse", 0.4), ("better", 0.9))]
    kept = {record.cell.id: stored for record, stored in both}
    rows = rows_of(frame([record for record, _ in both], predictions=lambda record: kept[record.cell.id]))
    assert [(row["strategy"], row["rank"], row["ranked_by"]) for row in rows] == [
        ("better", 1, "paired test"), ("worse", 2, "paired test"),
    ]  # fmt: skip
    assert rows[0][f"metric.{metric}"] == rows[0]["value"]


def test_predictions_that_a_metric_cannot_read_are_not_used(made):
    both = [record_of(made, "tags", "entity_f1", name, right) for name, right in (("a", 0.4), ("b", 0.9))]
    other = table_of(predicted("texts", 0.5)).to_pandas()
    rows = rows_of(frame([record for record, _ in both], predictions=lambda record: other))
    assert {row["ranked_by"] for row in rows} == {"intervals"}
