"""The legend of a leaderboard: sentences that explain the columns and marks that its rows use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tlbench.results.columns import OK, PENDING, Row, metric_column
from tlbench.results.render.value_texts import is_searched


def legend(rows: Sequence[Row]) -> list[str]:
    """Returns one or two sentences for each convention that applies to the rows."""
    done = [row for row in rows if row["status"] == OK]
    lines = [
        "score, interval, ± (standard deviation over seeds), gain (over from-scratch with the same backbone), accuracy "
        "and F1 are in points of 100; the 95% interval is over test examples.",
    ]
    if own := sorted({row["metric_label"] for row in rows if row["metric"] and not row["in_points"]}):
        lines.append(f"{', '.join(own)}: no share of 1, so score, interval, ± and gain are in its own unit.")
    if any(row["metric"] and not (row["greater_is_better"] and row["in_points"]) for row in rows):
        lines.append("A mean over tasks leaves out those of which less is better, and those in a unit of their own.")
    # The column shows F1 or macro F1, by task, so the legend must name which.
    both = {name for row in done for name in ("f1", "f1_macro") if row[metric_column(name)] is not None}
    if len(both) > 1:
        lines.append("F1 is of the positive class on some tasks and the mean over classes (macro) on others.")
    elif both == {"f1_macro"}:
        lines.append("F1 is the mean over classes (macro).")
    tests = {row["ranked_by"] for row in done}
    if any(row["tied"] for row in done) or "paired test" in tests:
        lines.append(_ties(tests, done))
    if not all(map(is_searched, done)):
        lines.append('trials "-" or "not searched": one setting of the hyperparameters, as strategy or suite gives it.')
    lines += _fitted_on(done)
    lines.append(
        "encode is what encoding would cost on its own, whoever paid for it; fit and predict are of one seed; "
        "memory is the worker's peak."
    )
    if any(row["status"] not in {OK, PENDING} for row in rows):
        lines.append(f"What ended without a score stands last with its status{_in_means(rows)}.")
    return lines


def _fitted_on(done: Sequence[Row]) -> list[str]:
    """Returns a sentence on winners that were fitted on train and validation, and one on searches with folds."""
    lines = []
    if on_both := [row for row in done if row["final"] == "train+validation"]:
        which = "The winners were" if len(on_both) == len(done) else "Rows with final=train+validation were"
        lines.append(f"{which} fitted on train and validation together, with the params that the search chose.")
    if folds := sorted({row["folds"] for row in done if row["folds"] is not None}):
        number = " or ".join(map(str, folds))
        lines.append(f"validation with folds: the predictions of {number} folds of train and validation, scored once.")
    return lines


def _in_means(rows: Sequence[Row]) -> str:
    """Returns a clause on how failed cells count in a mean over tasks; empty if none of their tasks is averaged."""
    # A failed row has no metric, so look it up in another row of the same task.
    of_task = {row["task"]: row for row in rows if row["metric"]}
    failed = [of_task.get(row["task"], row) for row in rows if row["status"] not in {OK, PENDING}]
    averaged = [row for row in failed if row["greater_is_better"] and row["in_points"]]
    worst = sorted({(row["metric_worst"], row["metric_label"]) for row in averaged if row["metric_worst"]})
    texts = ["0"] if any(row["metric_worst"] == 0 for row in averaged) else []
    texts += [f"{100 * value:g} where the metric is {label}" for value, label in worst]
    clause = f", and is {', or '.join(texts)} in a mean over tasks" if texts else ""
    if without := sorted({row["metric_label"] for row in averaged if row["metric_worst"] is None}):
        clause += f", and is left out of a mean over tasks where the metric is {' or '.join(without)}"
    return clause


def _ties(tests: Iterable[str], done: Sequence[Row]) -> str:
    if "paired test" in tests:
        how = "a paired bootstrap over examples and seeds, Holm-corrected, alpha .05"
        how += "; where predictions are missing, intervals that overlap" if "intervals" in tests else ""
    else:
        how = "their intervals overlap"
    alone = any(row["seeds"] == 1 for row in done)
    limit = " With one seed that is a statement about the fitted models, not the strategies." if alone else ""
    return f"= marks a shared rank: not told apart from the best of its group ({how}).{limit}"
