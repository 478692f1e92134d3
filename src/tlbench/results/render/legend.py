"""The legend of a leaderboard: sentences that explain the columns and marks that its rows use."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.results.columns import ENSEMBLE, OK, ONE_FIT, PENDING, STRATEGY, Row, metric_column
from tlbench.results.notes.floor_notes import LEGEND
from tlbench.results.ranking import ONE_SEED
from tlbench.results.render.memory_texts import memory_legend
from tlbench.results.render.value_texts import ONE_SEED_TEXT, is_searched


def legend(rows: Sequence[Row]) -> list[str]:
    """Returns one or two sentences for each convention that applies to the rows."""
    done = [row for row in rows if row["status"] == OK]
    lines = [
        "score, interval, ± (standard deviation over seeds), gain, accuracy and F1 are in points of 100.",
        *_intervals(done),
        *_equality(done),
        *_gains(done),
    ]
    if own := sorted({row["metric_label"] for row in rows if row["metric"] and not row["in_points"]}):
        lines.append(f"{', '.join(own)}: no share of 1, so score, interval, ± and gain are in its own unit.")
    # The column shows F1 or macro F1, by task, so the legend must name which.
    both = {name for row in done for name in ("f1", "f1_macro") if row[metric_column(name)] is not None}
    if len(both) > 1:
        lines.append("F1 is of the positive class on some tasks and the mean over classes (macro) on others.")
    elif both == {"f1_macro"}:
        lines.append("F1 is the mean over classes (macro).")
    lines += _ranks(done)
    if any(row["ranked_by"] == ENSEMBLE for row in done):
        lines.append(
            "ensemble: the mean of the fits that its note names, by weights chosen on validation for each seed (greedy "
            "selection, Caruana et al. 2004); no rank, since its seeds are those of its members, and costs are theirs "
            "added up."
        )
    if not all(map(is_searched, done)):
        lines.append('trials "-" or "not searched": one setting of the hyperparameters, as strategy or suite gives it.')
    lines += _fitted_on(done)
    lines.append(
        "encode is the time that encoding takes if nothing is shared or cached; fit and predict are of one seed; "
        f"{memory_legend(done)}."
    )
    if any(row["at_floor"] for row in done):
        lines.append(LEGEND)
    if any(row["status"] not in {OK, PENDING} for row in rows):
        lines.append("What ended without a score stands last with its status.")
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


def _intervals(done: Sequence[Row]) -> list[str]:
    kinds = {row["interval_of"] for row in done}
    lines = []
    if STRATEGY in kinds:
        lines.append("95% interval: of the strategy's expected score, over new test examples and new seeds.")
    if ONE_FIT in kinds:
        rows = "" if len(kinds - {""}) == 1 else " with fewer than three seeds, or without predictions,"
        lines.append(f"95% interval{rows or ':'} of one fitted model, over new test examples alone.")
    if any(row["groups"] is not None for row in done):
        lines.append(
            "Where test examples have groups, intervals and ranks are over new groups, not new examples of the same."
        )
        lines += _ungrouped(done)
    return lines


def _ungrouped(done: Sequence[Row]) -> list[str]:
    """Returns a sentence on the intervals of records without groups, if other records of the task have groups."""
    grouped = {row["task"] for row in done if row["groups"] is not None}
    if any(row["interval_of"] == ONE_FIT and row["groups"] is None and row["task"] in grouped for row in done):
        return ["Intervals of one fitted model in records without groups are over single examples: too narrow."]
    return []


def _equality(done: Sequence[Row]) -> list[str]:
    """Returns a sentence on practical equality if it was computed, with the margins."""
    margins = {
        f"{100 * row['margin']:g} point{'' if row['margin'] == 0.01 else 's'}"
        if row["in_points"]
        else f"{row['margin']:g} ({row['metric_label']})"
        for row in done
        if row["margin"] is not None
    }
    if not margins:
        return []
    return [
        f"P(equal to best): the probability that the row's expected score is within {' or '.join(sorted(margins))} of "
        "that of the best row with a rank."
    ]


def _gains(done: Sequence[Row]) -> list[str]:
    over = sorted({row["gain_over"] for row in done if row["gain_over"]})
    if not over:
        return []
    lines = [
        f"gain: over the best score without pretrained weights (of {', '.join(over)}; with the same backbone where it "
        "has one). The best of several is one that chance favoured, so a gain is rather too small than too large."
    ]
    kinds = {row["gain_interval_of"] for row in done}
    if STRATEGY in kinds:
        lines.append("95% of gain: of the strategies' expected difference, paired over test examples, and over seeds.")
    if ONE_FIT in kinds:
        which = " with one seed on either side," if STRATEGY in kinds else ""
        lines.append(f"95% of gain{which or ':'} of two fitted models, paired over test examples alone.")
    return lines


def _ranks(done: Sequence[Row]) -> list[str]:
    tests = {row["ranked_by"] for row in done}
    lines = []
    if "paired test" in tests or "intervals" in tests:
        how = (
            "tests of all pairs over examples and seeds; among equal strategies about 5% of tables show a difference, "
            "and up to 10% with three seeds where some rows vary far more between seeds than others"
        )
        if "paired test" not in tests:
            how = "whether their intervals overlap"
        elif "intervals" in tests:
            how += "; where predictions are missing, whether intervals overlap"
        lines.append(
            f"rank: 1 + the rows that are significantly better, to the last rank that the data allow ({how}). A shared "
            "rank says that the data do not tell rows apart, not that they are equal."
        )
    if ONE_SEED in tests:
        lines.append(f"{ONE_SEED_TEXT}: no rank, since one fit does not show what another seed would have given.")
    return lines
