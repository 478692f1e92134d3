"""Leaderboards of cells with different amounts of labelled data."""

from tlbench.results.columns import rows_of
from tlbench.results.leaderboard import frame


def test_rows_are_ranked_within_equal_amounts(made):
    def record(strategy, accuracy, **amount):
        return made.record(made.cell(strategy=strategy, **amount), made.answers(accuracy=accuracy))

    rows = rows_of(frame([
        record("linear-probe", 0.6, shots=1), record("linear-probe", 0.8, shots=8), record("tfidf", 0.7, shots=8),
        record("linear-probe", 0.75, train_fraction=0.1), record("linear-probe", 0.9),
    ]))  # fmt: skip
    amounts = {(row["task"], row["shots"], row["train_fraction"]) for row in rows}
    task = made.cell().task.name
    assert amounts == {
        (f"{task} (1 shot)", 1, None), (f"{task} (8 shots)", 8, None),
        (f"{task} (10% of the training data)", None, 0.1), (task, None, None),
    }  # fmt: skip
    assert {row["variant"] for row in rows} == {""}
    assert {row["rank_last"] for row in rows if row["shots"] == 1} <= {None, 1}
