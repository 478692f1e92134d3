"""Makes the splits that files lack: drawn at random, carved from train, or in the order of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlbench import DataError, Example, Output, carve, divide
from tlbench.data.carving import CARVE_SEED, carve_note, carved_size, how_drawn
from tlbench.data.input_keys import input_key
from tlbench_data.division.time_order import Time, in_time_order, shown_time
from tlbench_data.readers.rows import listed, shown

ALL = "all"
"""Key of the rows of files that are not split."""
SHARE = 0.1
"""Default share of validation and of test if files are not split."""


@dataclass(frozen=True)
class SplitOptions:
    """The options of a task's name that determine how its rows are divided into splits."""

    seed: int = 0
    validation: float | None = None
    test: float | None = None
    """Share of the rows, or of the training rows if another split has files; None if not given, as for `validation`."""
    group: str = ""
    time: str = ""
    """Column of the times; "" if not given, as for `group`, the column of the groups."""


@dataclass(frozen=True)
class Divided:
    """The splits of a task, and how they were made."""

    splits: Mapping[str, Sequence[Example]]
    """Lacks the validation split if the core is to carve it from train with the default share and seed."""
    how: str = ""
    """How splits that the files lack are drawn or carved; empty if the files have all of them."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows:
    """The examples of each split of the files, or of `ALL`, with their times."""

    splits: Mapping[str, Sequence[Example]]
    times: Mapping[str, Sequence[Time]]
    """The time of each example, by split; empty where times are not used."""
    output: Output
    path: Path
    """The first file, for messages."""


def divided(rows: Rows, options: SplitOptions, *, declared: bool) -> Divided:
    """Returns all splits, including those that the files lack, which are divided from the other rows.

    Args:
        rows: The examples of the splits that the files have.
        options: How to divide them.
        declared: Whether the classes are declared, so that train need not have each of them.

    Raises:
        DataError: The rows are too few, a group is in two splits, or an option has no effect.
    """
    _check_groups(rows, options)
    splits, source = dict(rows.splits), ALL if ALL in rows.splits else "train"
    shares = _shares(rows, options)
    if not shares:
        _refuse_idle(rows.path, options)
        return Divided(splits)
    examples = splits.pop(source)
    notes: list[str] = []
    if options.time:
        parts, how = _by_time(rows, source, shares, options)
        if not declared:
            _check_later_classes(rows, examples, parts, options.time)
        notes = [*_repeats(examples, parts), *_earlier(rows, rows.times[source], splits)]
    elif source == ALL or "test" in shares:
        # Without any option, shares are of distinct inputs instead of rows, which keeps published draws unchanged.
        by_rows = bool(options.group or options.validation or options.test)
        parts = divide(examples, rows.output, shares, options.seed, by_rows=by_rows)
        how = _drawn(rows, shares, options, source)
        if empty := [split for split, positions in parts.items() if not positions]:
            together = "rows of one group or of equal inputs" if options.group else "rows of equal inputs"
            raise DataError(
                f"{rows.path}: {len(examples)} {'row is' if len(examples) == 1 else 'rows are'} too few to split: "
                f"{empty[0]} would be empty; every class keeps a row in train, and {together} stay together"
            )
    else:
        try:
            train, validation = carve(examples, rows.output, options.validation, options.seed)
        except DataError as error:
            raise DataError(f"{rows.path}: {error}") from None
        how = carve_note(len(validation), len(examples), _how(rows, options))
        if options.validation is None and options.seed == CARVE_SEED:
            # Left to the core, which carves the same examples.
            return Divided(rows.splits, how)
        parts = {"train": train, "validation": validation}
    made = {split: [examples[position] for position in positions] for split, positions in parts.items()}
    every = {**splits, **made}
    return Divided({split: every[split] for split in ("train", "validation", "test")}, how, tuple(notes))


def _shares(rows: Rows, options: SplitOptions) -> dict[str, float]:
    """Returns the share of each split among the rows to divide, train first; empty if no split is missing."""
    if ALL in rows.splits:
        shares = {"validation": options.validation or SHARE, "test": options.test or SHARE}
    elif "test" not in rows.splits:
        shares = {"test": options.test or SHARE}
    elif "validation" not in rows.splits:
        count = len(rows.splits["train"])
        shares = {"validation": carved_size(count, options.validation) / count}
    else:
        return {}
    train = 1 - sum(shares.values())
    # Not checked if only validation is carved from train: that fails for a single row whatever the share is.
    if train <= 0 and (ALL in rows.splits or options.time):
        given = " and ".join(f"{split}={share:g}" for split, share in shares.items())
        raise DataError(f"{rows.path}: {given} leave no rows to train on")
    return {"train": train, **shares}


def _how(rows: Rows, options: SplitOptions) -> str:
    return how_drawn(rows.output, options.seed, by_group=bool(options.group))


def _drawn(rows: Rows, shares: Mapping[str, float], options: SplitOptions, source: str) -> str:
    if source == ALL:
        return f"drawn {_how(rows, options)}"
    return f"test: {shares['test']:.0%} of the training rows drawn {_how(rows, options)}"


def _by_time(
    rows: Rows, source: str, shares: Mapping[str, float], options: SplitOptions
) -> tuple[dict[str, list[int]], str]:
    if options.seed:
        raise DataError(f"{rows.path}: seed= has no effect with time=, which draws nothing; leave it out")
    times, examples = rows.times[source], rows.splits[source]
    try:
        parts = in_time_order(times, shares)
    except ValueError as error:
        raise DataError(f"{rows.path}: time={options.time}: {error}") from None
    if options.group:
        refuse_straddling(
            rows.path,
            {split: [examples[position].group for position in positions] for split, positions in parts.items()},
            f"group={options.group} and time={options.time} contradict each other",
            "leave one of them out",
        )
    ends = [f"{split} to {shown_time(max(times[row] for row in positions))}" for split, positions in parts.items()]
    return parts, f"by time: {', '.join(ends)}"


def _check_later_classes(
    rows: Rows, examples: Sequence[Example], parts: Mapping[str, Sequence[int]], time: str
) -> None:
    seen = {
        split: {index for row in positions for index in rows.output.class_indices(examples[row].target)}
        for split, positions in parts.items()
    }
    train, *later = seen.values()
    if unseen := sorted(set().union(*later) - train):
        names = listed([rows.output.classes[index] for index in unseen])
        raise DataError(
            f"{rows.path}: time={time}: no training row has {names}, which later rows have; declare the classes with "
            "labels=, or leave time= out"
        )


def _repeats(examples: Sequence[Example], parts: Mapping[str, Sequence[int]]) -> list[str]:
    train, *later = ([input_key(examples[row].inputs) for row in positions] for positions in parts.values())
    known = set(train)
    count = sum(key in known for keys in later for key in keys)
    return [f"{count} later {'row has' if count == 1 else 'rows have'} the input of a training row"] if count else []


def _earlier(rows: Rows, times: Sequence[Time], others: Mapping[str, Sequence[Example]]) -> list[str]:
    """Returns a note for each split with its own files whose earliest time is before the latest of the divided rows."""
    return [
        f"{split} begins before train ends ({shown_time(min(rows.times[split]))})"
        for split in others
        if min(rows.times[split]) < max(times)
    ]


def _check_groups(rows: Rows, options: SplitOptions) -> None:
    if options.group:
        groups = {split: [example.group for example in examples] for split, examples in rows.splits.items()}
        refuse_straddling(rows.path, groups, f"group={options.group}", "leave group= out, or split the files by group")


def refuse_straddling(where: object, groups: Mapping[str, Sequence[str]], what: str, advice: str) -> None:
    """Refuses groups that are in several splits.

    Args:
        where: The file or task, for the message.
        groups: Maps each split to the group of each of its rows.
        what: The option or data that is refused, for the message.
        advice: What the user should do instead, for the message.

    Raises:
        DataError: There is such a group; the message has the number of such groups and names the first.
    """
    splits_of: dict[str, list[str]] = {}
    for split, names in groups.items():
        for name in dict.fromkeys(names):
            splits_of.setdefault(name, []).append(split)
    if straddling := [name for name, splits in splits_of.items() if len(splits) > 1]:
        first = straddling[0]
        count = f"{len(straddling)} groups are" if len(straddling) > 1 else "a group is"
        raise DataError(
            f"{where}: {what}: {count} in several splits, such as {shown(first)} in {' and '.join(splits_of[first])}; "
            f"{advice}"
        )


def refuse_shares(task: str, options: SplitOptions, names: Mapping[str, str]) -> None:
    """Refuses an option such as test=0.1 if the split has its own data; `names` maps splits to the names of their data.

    Raises:
        DataError: A share is given for such a split.
    """
    for split, share in (("validation", options.validation), ("test", options.test)):
        if share and split in names:
            other = "test" if split == "validation" else "validation"
            raise DataError(
                f"{task}: {split}={share:g} takes {split} from the training rows, but {names[split]} is there: leave "
                f"{split}= out, or use that data otherwise, as {other}="
            )


def _refuse_idle(path: Path, options: SplitOptions) -> None:
    """Refuses seed= and time= if the files have all splits, so that none is drawn."""
    idle = {"seed": bool(options.seed), "time": bool(options.time)}
    if names := [f"{name}=" for name, is_given in idle.items() if is_given]:
        raise DataError(f"{path}: {' and '.join(names)} has no effect, since the files have every split; leave it out")
