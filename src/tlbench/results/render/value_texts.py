"""Formats the values of a leaderboard as short texts, which are the same in all output formats."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence

from tlbench.results.columns import ENSEMBLE, OK, Row, metric_column
from tlbench.results.notes.equal_rows import cheapest, equal_rows
from tlbench.results.notes.floor_notes import is_floor_note
from tlbench.results.notes.row_notes import is_statement
from tlbench.results.ranking import ONE_SEED

NOTHING = "-"
"""Text of a missing value; not empty, so that screen readers read it."""

ONE_SEED_TEXT = "1 seed"
"""Text in place of the rank of a score of one seed."""


def by_task(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Returns the rows of each task, in order of first occurrence."""
    tasks: dict[str, list[Row]] = {}
    for row in rows:
        tasks.setdefault(row["task"], []).append(row)
    return tasks


def points(value: float | None) -> str:
    """Returns a value of a metric multiplied by 100, such as "91.2"."""
    # Adding 0 turns a rounded "-0.0" into "0.0".
    return NOTHING if value is None else f"{round(100 * value, 1) + 0:.1f}"


def measured(value: float | None, row: Row) -> str:
    """Returns a value of the row's metric: in points if it is a share of 1, else in its own unit, such as "0.345"."""
    if value is None or row["in_points"]:
        return points(value)
    return f"{round(value, 3) + 0:.3f}"


def score(row: Row) -> str:
    """Returns the value of the ranking metric."""
    return measured(row["value"], row)


def spread(row: Row) -> str:
    """Returns the standard deviation over seeds."""
    return measured(row["seed_std"], row)


def gain(row: Row) -> str:
    """Returns the gain over the best floor, in points or in the metric's unit, such as "+32.1"."""
    return NOTHING if row["gain"] is None else _signed(row["gain"], row)


def gain_interval(row: Row) -> str:
    """Returns the gain's interval, such as "+28.1" and "+35.9" joined by a dash."""
    low, high = row["gain_low"], row["gain_high"]
    return NOTHING if low is None or high is None else f"{_signed(low, row)}\u2013{_signed(high, row)}"


def _signed(value: float, row: Row) -> str:
    digits = 1 if row["in_points"] else 3
    return f"{round(value, digits) + 0:+.{digits}f}"


def interval(row: Row) -> str:
    """Returns the interval, such as "88.1" and "93.9" joined by a dash."""
    low, high = row["low"], row["high"]
    if low is None or high is None:
        return NOTHING
    return f"{measured(low, row)}\u2013{measured(high, row)}"


def probability(row: Row) -> str:
    """Returns the probability that the row is practically equal to the best one, such as "0.42"."""
    return NOTHING if row["p_equal"] is None else f"{row['p_equal']:.2f}"


def detectable(rows: Sequence[Row]) -> str:
    """Returns a sentence with the smallest difference that the tests of these rows find; empty without tests."""
    texts = (
        f"{measured(row['detectable'], row)}{' points' if row['in_points'] else ''}"
        for row in rows
        if row["detectable"] is not None
    )
    # There are several only if the task's metric changed after some of its cells were recorded.
    found = " or ".join(dict.fromkeys(texts))
    return f"Differences under {found} are found here with less than 80% power." if found else ""


def undecided(row: Row) -> str:
    """Returns a sentence for a task with this row at rank 1, which uses no pretrained weights."""
    return (
        f"These data do not decide whether pretrained weights help: no row is significantly better than {title(row)}, "
        "which has none."
    )


def cheapest_equal(rows: Sequence[Row]) -> str:
    """Returns a sentence that names the cheapest row not told apart from the best; empty if it is the best itself.

    Args:
        rows: The rows at rank 1, the best first.
    """
    equal = equal_rows(rows)
    if not equal or (found := cheapest(equal)) is rows[0]:
        return ""
    cost, highest = seconds(found["total_seconds"]), seconds(rows[0]["total_seconds"])
    return (
        f"Of the {len(equal)} rows that no test tells apart from the best, not even a test of the two alone, the "
        f"cheapest is {title(found)}: {cost} of work in all, against {highest} of {title(rows[0])}, the best."
    )


def title(row: Row) -> str:
    """Returns the names of a row's strategy and of its backbone, if it has one, such as "linear-probe on minilm-l6"."""
    return f"{strategy(row)} on {row['backbone']}" if row["backbone"] else strategy(row)


def mean_interval(row: Row) -> str:
    """Returns the interval of a mean over tasks, in points."""
    low, high = row["low"], row["high"]
    return NOTHING if low is None or high is None else f"{points(low)}\u2013{points(high)}"


def seconds(value: float | None) -> str:
    """Returns a time in at most five characters, such as "0.4s", "26s", "2m10", "1h05" or "103h"."""
    if value is None:
        return NOTHING
    # Limits are where rounding would add a digit: 9.95 would become "10.0s".
    if value < 9.95:
        return f"{value:.1f}s"
    whole = round(value)
    if whole < 100:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}"
    hours, minutes = divmod(round(value / 60), 60)
    return f"{hours}h{minutes:02}" if hours < 100 else f"{hours}h"


def size(value: int | None) -> str:
    """Returns a number of bytes in decimal units, such as "612 MB"."""
    if value is None:
        return NOTHING
    if value < 999.5e6:
        return f"{value / 1e6:.0f} MB"
    return f"{value / 1e9:.1f} GB" if value < 99.95e9 else f"{value / 1e9:.0f} GB"


def count(value: int | None) -> str:
    """Returns a number of parameters, such as "22.7M"; "0" for 0, "-" for None."""
    if value is None:
        return NOTHING
    for limit, unit, suffix in ((1000, 1, ""), (999_500, 1e3, "k"), (999_500_000, 1e6, "M"), (float("inf"), 1e9, "B")):
        if value < limit:
            scaled = value / unit
            return f"{scaled:.0f}{suffix}" if scaled >= 99.95 or unit == 1 else f"{scaled:.1f}{suffix}"
    raise AssertionError("every number is below infinity")


def place(row: Row) -> str:
    """Returns the ranks that the data allow, such as "2" or "1\u20133"; "1 seed" for a score of one seed."""
    if row["rank"] is None:
        return ONE_SEED_TEXT if row["ranked_by"] == ONE_SEED else NOTHING
    return f"{row['rank']}" if row["rank"] == row["rank_last"] else f"{row['rank']}\u2013{row['rank_last']}"


def waiting(number: int) -> str:
    """Returns the number of cells without a record, such as "2 cells to come", or an empty text for 0."""
    return f"{number} cell{'' if number == 1 else 's'} to come" if number else ""


def backbone(row: Row) -> str:
    """Returns the backbone's name, or "-" for strategies without one."""
    return row["backbone"] or NOTHING


def strategy(row: Row) -> str:
    """Returns the strategy's name, with the settings in which the cell differs from others with that strategy."""
    return f"{row['strategy']} ({row['variant']})" if row["variant"] else str(row["strategy"])


def outcome(row: Row) -> str:
    """Returns the score, or the status of a cell without one."""
    return score(row) if row["status"] == OK else str(row["status"])


def seeds(row: Row) -> str:
    """Returns the number of seeds, such as "3", or "2/3" if some are missing."""
    complete = row["seeds"] == row["seeds_planned"]
    return f"{row['seeds']}" if complete else f"{row['seeds']}/{row['seeds_planned']}"


def coverage(row: Row) -> str:
    """Returns how many tasks a row of the summary covers, such as "4/5, 1 failed, 2 at the floor"."""
    counts = {"failed": row["failed"], "at the floor": row["at_floor"]}
    return ", ".join([f"{row['tasks']}/{row['tasks_total']}", *(f"{n} {what}" for what, n in counts.items() if n)])


def is_searched(row: Row) -> bool:
    """Returns whether there was a search, even if a time limit stopped it after the first trial."""
    return bool(row["searched"]) or row["trials_planned"] is not None


def trials(row: Row) -> str:
    """Returns the number of trials, such as "16", or "5/16" if a time limit stopped the search, or "not searched"."""
    if row["trials_planned"] is not None:
        return f"{row['trials']}/{row['trials_planned']}"
    return f"{row['trials']}" if is_searched(row) else "not searched"


def f1(row: Row) -> str:
    """Returns F1 in points, or macro F1 if that was measured instead."""
    f1 = row[metric_column("f1")]
    return points(f1 if f1 is not None else row[metric_column("f1_macro")])


def metric_label(rows: Sequence[Row]) -> str:
    """Returns the label of the metric that ranks the rows, with its direction if lower is better."""
    # A task may have changed its metric since some of its cells were recorded.
    headings = (
        row["metric_label"] if row["greater_is_better"] else f"{row['metric_label']} (lower is better)"
        for row in rows
        if row["metric"]
    )
    return " / ".join(dict.fromkeys(headings))


def examples(rows: Sequence[Row]) -> str:
    """Returns the number of test examples and of their groups, or an empty text if nothing was scored.

    For example "1,000 test examples in 40 groups (document)". Older records name no groups.
    """
    sizes = sorted({row["n"] for row in rows if row["n"] is not None})
    if not sizes:
        return ""
    counts = sorted({row["groups"] for row in rows if row["groups"] is not None})
    groups = f" in {_either(counts)} groups" if counts else ""
    kinds = ", ".join(sorted({row["group"] for row in rows if row["groups"] is not None and row["group"]}))
    return f"{_either(sizes)} test examples{groups}{f' ({kinds})' if kinds else ''}"


def _either(numbers: Sequence[int]) -> str:
    return " or ".join(f"{number:,}" for number in numbers)


def overlap(rows: Sequence[Row]) -> str:
    """Returns a warning about test examples that also occur in the training data, or an empty text."""
    shared = max((row["overlap"] or 0 for row in rows), default=0)
    if not shared:
        return ""
    total = max(row["n"] or 0 for row in rows)
    return (
        f"{shared:,} of {total:,} test examples show exactly what an example of train or validation shows (of all that "
        "these have, whatever a fit was given of them): there a score may say what was remembered."
    )


def footnotes(rows: Iterable[Row]) -> dict[str, str]:
    """Returns a mark ("a", "b", ...) for each note, in order of first occurrence."""
    notes = dict.fromkeys(note for row in rows for note in (row["notes"] or "").split("; ") if note)
    return {note: _letters(number) for number, note in enumerate(notes)}


def note_head(note: str) -> str:
    """Returns the words before a note: for a note that compares the row with others, "unlike most of this table: "."""
    own = is_floor_note(note) or is_statement(note) or note.startswith(ENSEMBLE)
    return "" if own else "unlike most of this table: "


def marks(row: Row, known: dict[str, str]) -> str:
    """Returns the marks of a row's notes, such as "a, c", or an empty text."""
    return ", ".join(known[note] for note in (row["notes"] or "").split("; ") if note in known)


def _letters(number: int) -> str:
    # As columns of a spreadsheet: a ... z, aa, ab, ...
    head, tail = divmod(number, 26)
    return (_letters(head - 1) if head else "") + string.ascii_lowercase[tail]
