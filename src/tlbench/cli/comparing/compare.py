"""`tlbench compare`: compares two cells, two folders of results or files of answers, and prints the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tlbench.cli.comparing.comparison_json import comparison_json
from tlbench.cli.comparing.comparison_texts import print_one, print_several
from tlbench.cli.comparing.sides import FileSide, ResultsSide, Side, read_side
from tlbench.contracts.errors import UsageError
from tlbench.contracts.metric import Metric
from tlbench.metrics import METRICS
from tlbench.results.comparison.answer_files import read_answers
from tlbench.results.comparison.cell_pairs import CellPairs, cell_pairs, compared_cells, limits_of
from tlbench.results.comparison.outside_answers import (
    RightAnswers,
    all_examples,
    gold_in,
    gold_in_cell,
    gold_of,
    outcomes_of_cell,
    outcomes_of_file,
)
from tlbench.results.comparison.paired_test import paired_test
from tlbench.results.comparison.shared_examples import shared_examples
from tlbench.results.comparison.verdicts import FAILS, Comparison, corrected, margin_of, read_regression_margins
from tlbench.results.records.summaries import CellSummary
from tlbench.results.stats import CellPredictions


@dataclass(frozen=True)
class CompareOptions:
    """The options of a comparison."""

    margins: tuple[str, ...] = ()
    metric: str = ""
    gold: Path | None = None
    examples: int | None = None


def print_comparison(first: str, second: str, options: CompareOptions, out: Path, as_json: bool) -> int:
    """Prints the comparison of two results, and returns the exit status: 1 if the second is a regression.

    Raises:
        UsageError: An argument names no result, or the two cannot be compared.
    """
    sides = read_side(first, out), read_side(second, out)
    pairs = CellPairs((), (), ())
    of_folders = _both_folders(sides)
    if of_folders is not None:
        pairs = cell_pairs(*(side.summaries() for side in of_folders))
        comparisons = _of_cells(of_folders, pairs, options)
    elif isinstance(sides[0], ResultsSide) and isinstance(sides[1], ResultsSide):
        comparisons = _of_cells((sides[0], sides[1]), _two_cells(sides[0], sides[1]), options)
    else:
        comparisons = [_of_answers(sides, options)]
    results = corrected(comparisons)
    if as_json:
        print(comparison_json((first, second), results, pairs))
    elif of_folders is None:
        print_one(sides[0].name, sides[1].name, results[0])
    else:
        print_several(first, second, results, pairs)
    return 1 if any(one.verdict in FAILS for one in results) else 0


def _both_folders(sides: tuple[Side, Side]) -> tuple[ResultsSide, ResultsSide] | None:
    """Returns the sides if both are whole folders; None if neither is.

    Raises:
        UsageError: One of them is.
    """
    first, second = sides
    are_folders = [isinstance(side, ResultsSide) and not side.cell for side in sides]
    if any(are_folders) and not all(are_folders):
        folder, other = sides if are_folders[0] else sides[::-1]
        raise UsageError(f"{folder.name} is a folder and {other.name} is not: name a cell of it, as {folder.name}:ID")
    if are_folders[0] and isinstance(first, ResultsSide) and isinstance(second, ResultsSide):
        return first, second
    return None


def _two_cells(first: ResultsSide, second: ResultsSide) -> CellPairs:
    one, other = first.summaries()[0], second.summaries()[0]
    if one.task != other.task:
        raise UsageError(
            f"{first.name} is a cell of {one.task} and {second.name} one of {other.task}: only cells of one task can be"
            " compared"
        )
    return CellPairs(((one, other),), (), ())


def _of_cells(sides: tuple[ResultsSide, ResultsSide], pairs: CellPairs, options: CompareOptions) -> list[Comparison]:
    if options.gold or options.examples:
        raise UsageError("--gold and --examples are for files of answers: cells have both on record")
    if not pairs.pairs:
        raise UsageError(f"{sides[0].name} and {sides[1].name} have no cell in common: are they of one suite?")
    used = {name for pair in pairs.pairs for one in pair if (name := options.metric or one.metric)}
    metrics = _metrics({*used, *_named_in(options.margins)})
    if options.metric and options.metric not in metrics:
        raise UsageError(f"--metric {options.metric}: no such metric; `tlbench list metrics` shows them")
    margins = read_regression_margins(options.margins, metrics)
    read = sides[0].predictions, sides[1].predictions
    return [compared_cells(one, other, metrics, read, margins, options.metric) for one, other in pairs.pairs]


def _named_in(margins: tuple[str, ...]) -> set[str]:
    return {text.rpartition("=")[0].strip() for text in margins if "=" in text}


def _metrics(used: set[str]) -> Mapping[str, Metric]:
    if used <= METRICS.keys():
        return METRICS
    from tlbench.catalog.catalog import Catalog

    return Catalog.discover().metrics


def _of_answers(sides: tuple[Side, Side], options: CompareOptions) -> Comparison:
    """Returns the comparison of right and wrong answers, where at least one side is a file."""
    if options.metric not in {"", "accuracy"}:
        raise UsageError(f"--metric {options.metric}: files of answers are compared by accuracy alone")
    files = [side.file if isinstance(side, FileSide) else None for side in sides]
    cells = [side for side in sides if isinstance(side, ResultsSide)]
    gold = gold_in(read_answers(options.gold)) if options.gold else None
    everything: list[str] | None = None
    of_cell: CellPredictions | None = None
    summary: CellSummary | None = None
    if cells:
        of_cell, summary = _cell_outcomes(cells[0])
        everything = list(of_cell.ids)
        if options.examples:
            raise UsageError("--examples is for two lists of solved ids: a cell has its examples on record")
        gold = gold or _gold_of_cell(cells[0], summary)
    else:
        first, second = [file for file in files if file is not None]
        everything = all_examples(first, second, options.examples)
    gold = gold or gold_of(*files)
    outcomes = [outcomes_of_file(file, gold, everything) if file else of_cell for file in files]
    metric = METRICS["accuracy"]
    shared = shared_examples(*(one for one in outcomes if one is not None))
    if shared is None:
        raise UsageError(f"{sides[0].name} and {sides[1].name} have no example id in common")
    test = paired_test(metric, shared.first, shared.second)
    notes = limits_of(shared.only_first, shared.only_second, shared.other_targets, test)
    if options.examples is None and not cells and all(file and file.is_solved_list for file in files):
        notes.append("scores are shares of the examples that a side solved: --examples N gives the number of all")
    return Comparison(
        f"{sides[0].name} | {sides[1].name}",
        metric,
        test,
        margin_of(metric, read_regression_margins(options.margins, METRICS)),
        None if files[0] else summary,
        None if files[1] else summary,
        tuple(notes),
    )


def _cell_outcomes(side: ResultsSide) -> tuple[CellPredictions, CellSummary]:
    summary = side.summaries()[0]
    predictions = side.predictions(summary)
    outcomes = None if predictions is None else outcomes_of_cell(predictions)
    if outcomes is None:
        why = "it has no stored predictions" if predictions is None else "no answer to it is exactly right or wrong"
        raise UsageError(f"{side.name}: cannot be compared with a file of answers: {why}")
    return outcomes, summary


def _gold_of_cell(side: ResultsSide, summary: CellSummary) -> RightAnswers | None:
    predictions, report = side.predictions(summary), side.record().report
    names = report.names or tuple(one.name for one in report.classes)
    return None if predictions is None else gold_in_cell(predictions, names)
