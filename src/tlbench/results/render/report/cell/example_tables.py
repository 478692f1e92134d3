"""Test examples that a cell answers worst, and those that it is least certain of, by their ids."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench.contracts.record import Record
from tlbench.results.render.escaping import printable
from tlbench.results.render.report.report_tables import DataTable, TableCell, simple_table

if TYPE_CHECKING:
    import numpy as np

    from tlbench.results.stats import CellPredictions

_MOST = 15
_MOST_CHARACTERS = 80


def example_tables(record: Record, path: Path | None) -> list[DataTable]:
    """Returns a table of the worst and one of the least certain examples; what predictions do not tell is left out.

    The probability of a class is its mean over seeds. Without probabilities, the worst examples of classes, labels,
    words and texts are those that most seeds get wrong, and those of numbers have the largest mean error.
    """
    from tlbench.results.records.stored_predictions import read_predictions

    if path is None:
        return []
    try:
        found = read_predictions(path, with_scores=True, digest=record.predictions_digest)
    except (OSError, ValueError):  # a damaged file has no examples to show
        return []
    if found is None:
        return []
    if _has_class_probabilities(found):
        return [table for table in (_confident_errors(record, found), _uncertain(record, found)) if table.rows]
    table = _errors(record, found)
    return [table] if table.rows else []


def _has_class_probabilities(found: CellPredictions) -> bool:
    scores = found.scores
    return (
        scores is not None
        and scores.ndim == 3
        and found.targets.ndim == 1
        and found.targets.dtype.kind in "iu"
        and scores.shape[2] > int(found.targets.max())
        and int(found.targets.min()) >= 0
    )


def _confident_errors(record: Record, found: CellPredictions) -> DataTable:
    import numpy as np

    assert found.scores is not None
    probabilities = found.scores.mean(axis=0)
    of_target = probabilities[np.arange(len(found.ids)), found.targets]
    answers = probabilities.argmax(axis=1)
    order = [i for i in np.argsort(of_target, kind="stable").tolist() if answers[i] != found.targets[i]][:_MOST]
    rows = [_row(found.ids[i], _name(record, found.targets[i]), _name(record, answers[i]), of_target[i]) for i in order]
    headings = ("example", "target", "prediction", "probability of the target")
    return simple_table("worst", "Wrong with the most confidence", headings, rows)


def _uncertain(record: Record, found: CellPredictions) -> DataTable:
    import numpy as np

    assert found.scores is not None
    probabilities = found.scores.mean(axis=0)
    ordered = np.sort(probabilities, axis=1)
    margins = ordered[:, -1] - ordered[:, -2] if ordered.shape[1] > 1 else ordered[:, -1]
    answers = probabilities.argmax(axis=1)
    order = np.argsort(margins, kind="stable").tolist()[:_MOST]
    rows = [_row(found.ids[i], _name(record, found.targets[i]), _name(record, answers[i]), margins[i]) for i in order]
    headings = ("example", "target", "prediction", "lead over the second class")
    return simple_table("uncertain", "Least certain", headings, rows)


def _errors(record: Record, found: CellPredictions) -> DataTable:
    import numpy as np

    targets, values = found.targets, found.values
    is_classes = bool(record.report.names) and targets.ndim == 1 and targets.dtype.kind in "iu"
    if targets.dtype.kind in "biuf" and targets.ndim == 1 and not is_classes:
        error, heading = np.abs(values - targets).mean(axis=0), "mean error"
    else:
        error, heading = _wrong(targets, values), "seeds in error"
    order = [i for i in np.argsort(-error, kind="stable").tolist() if error[i] > 0][:_MOST]
    rows = [
        _row(found.ids[i], _text(record, targets[i], is_classes), _text(record, values[0][i], is_classes), error[i])
        for i in order
    ]
    return simple_table("worst", "Largest errors", ("example", "target", "prediction at the first seed", heading), rows)


def _wrong(targets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns (N,): the number of seeds whose answer is not the target, or none of several accepted texts."""
    import numpy as np

    if targets.dtype != object:
        differs = values != targets
        return np.asarray((differs.any(axis=2) if differs.ndim == 3 else differs).sum(axis=0), dtype=float)
    return np.array(
        [sum(not _is_accepted(target, of_seed[i]) for of_seed in values) for i, target in enumerate(targets)],
        dtype=float,
    )


def _is_accepted(target: Any, answer: Any) -> bool:
    return answer in target if isinstance(answer, str) and isinstance(target, tuple) else bool(answer == target)


def _row(example: str, target: str, answer: str, number: float) -> list[TableCell]:
    texts = [TableCell(text, text) for text in (printable(example, _MOST_CHARACTERS), target, answer)]
    return [*texts, TableCell(f"{number:.3f}" if number < 10 else f"{number:.1f}", float(number))]


def _name(record: Record, number: Any) -> str:
    names = record.report.names
    return printable(names[int(number)] if 0 <= int(number) < len(names) else int(number), _MOST_CHARACTERS)


def _text(record: Record, value: Any, is_class: bool) -> str:
    if is_class:
        return _name(record, value)
    if isinstance(value, tuple):
        return printable(" ".join(map(str, value)), _MOST_CHARACTERS)
    if hasattr(value, "ndim") and value.ndim:
        return printable(" ".join(str(one) for one in value.tolist()), _MOST_CHARACTERS)
    return f"{value:.3f}" if isinstance(value, float) else printable(value, _MOST_CHARACTERS)
