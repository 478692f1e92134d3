"""`tlbench predict`: reads rows, predicts them, and writes them with the predictions to a CSV file."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import secrets
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench.cli.shell.verbosity import is_quiet, note
from tlbench.contracts.errors import UsageError
from tlbench.contracts.untrusted.visible_text import visible
from tlbench.results.reading.default_folder import expanded
from tlbench.results.render.escaping import no_formula, printable
from tlbench.running.monitoring.time_texts import duration
from tlbench.system.output_paths import check_output_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlbench.running.prediction.answers import RowAnswer
    from tlbench.running.prediction.predicting import RowPredictor
    from tlbench.running.prediction.row_files import InputRow, RowFile

_ADDED = ("prediction", "confidence", "problem")
_LONGEST_CELL = 32_767
"""The most characters that a spreadsheet keeps in a cell."""
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class ChosenWinner:
    """Which winner predicts, and where."""

    cell: str
    """The cell, as `kept_winner` takes it, or the folder of an exported model."""
    out: Path
    """The results folder."""
    seed: int | None = None
    """The seed of the final fit; None for that with the best validation score."""
    device: str = "auto"


@dataclass(frozen=True)
class WrittenPredictions:
    """A file of predictions that was written."""

    file: Path
    rows: int
    problems: int
    """Number of rows that could not be predicted."""
    seconds: float

    @property
    def exit_status(self) -> int:
        """1 if there are rows and none could be predicted, else 0."""
        return int(0 < self.rows == self.problems)

    def as_json(self) -> dict[str, object]:
        """Returns the fields of `tlbench predict --json`, as docs/json.md has them."""
        seconds = round(self.seconds, 3)
        return {"format": 1, "file": str(self.file), "rows": self.rows, "problems": self.problems, "seconds": seconds}


def predict_file(
    chosen: ChosenWinner, source: Path, target: Path, text: Sequence[str] = (), probabilities: bool = True
) -> WrittenPredictions:
    """Writes the rows of a file with their predictions to another file, and how it went to stderr.

    Args:
        chosen: The winner.
        source: The file or folder of rows.
        target: The CSV file; one that exists is replaced at the end.
        text: Columns of the inputs; none to find them by their names.
        probabilities: Whether each class gets a column.

    Raises:
        UsageError: The cell has no winner that can be rebuilt, or a file cannot be read or written.
    """
    from tlbench.running.fitting.libraries import silence_warnings
    from tlbench.running.prediction.input_forms import chosen_columns
    from tlbench.running.prediction.row_files import open_rows

    # First, so that a misspelt name costs no fit.
    check_output_file(target, "--to")
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"--to {target}: is the file that is read: name another file")
    silence_warnings()
    rows = open_rows(source)
    try:
        predictor = _predictor(chosen, len(text))
        try:
            columns = chosen_columns(predictor.form, rows.columns, text, predictor.columns)
        except UsageError as error:
            raise UsageError(f"{source}: {error}") from None
        began = time.monotonic()
        with _bar(rows) as shown:
            answered = shown(predictor.predict(rows.rows, columns, rows.folder))
            count, problems = _write(target, rows, answered, predictor.classes if probabilities else ())
    finally:
        rows.close()
    seconds = time.monotonic() - began
    bad = f", {problems:,} with a problem (column problem)" if problems else ""
    rate = f"{duration(seconds)}, {count / max(seconds, 1e-9):,.0f} rows/s"
    note(f"{count:,} {'row' if count == 1 else 'rows'} in {rate}{bad}; in {printable(target)}")
    return WrittenPredictions(target, count, problems, seconds)


def _predictor(chosen: ChosenWinner, inputs: int) -> RowPredictor:
    """Returns the predictor of a cell or of an exported folder, for which columns of `inputs` inputs were named."""
    from tlbench.running.prediction.exported_model import exported_predictor, is_exported

    folder = expanded(Path(chosen.cell))
    if not is_exported(folder, is_path="/" in chosen.cell):
        return _winner_predictor(chosen)
    if chosen.seed is not None or chosen.device not in ("auto", "cpu"):
        raise UsageError(f"{folder}: an exported folder has one model, for the CPU: leave --seed and --device out")
    predictor = exported_predictor(folder, inputs)
    if predictor.classes:
        note("confidence is not calibrated: an exported folder has no validation predictions")
    return predictor


def _winner_predictor(chosen: ChosenWinner) -> RowPredictor:
    from tlbench.catalog.catalog import Catalog
    from tlbench.results.models.kept_models import kept_models
    from tlbench.running.prediction.fitted_temperature import temperature_of
    from tlbench.running.prediction.predicting import RowPredictor
    from tlbench.running.winners.chosen_cell import finished_record
    from tlbench.running.winners.kept_winner import kept_winner

    record = finished_record(chosen.cell, chosen.out)
    kept = {model.manifest.seed for model in kept_models(chosen.out, record)}
    if not kept or chosen.seed not in (None, *kept):
        note(printable(f"{record.cell.title}: its model is not kept, so it is fitted again"))
    winner = kept_winner(record.cell.id, chosen.out, Catalog.discover(), device=chosen.device, seed=chosen.seed)
    for text in winner.notes:
        note(printable(text))
    temperature, reason = temperature_of(winner.record, winner.fit.seed, chosen.out)
    if reason:
        note(printable(f"confidence is not calibrated: {reason}"))
    return RowPredictor.of(winner, temperature)


def _write(
    target: Path, rows: RowFile, answered: Iterator[tuple[InputRow, RowAnswer]], classes: Sequence[str]
) -> tuple[int, int]:
    """Writes the file, which is whole or absent; returns the numbers of rows and of rows with a problem."""
    count = problems = 0
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    scored = [f"p({name})" for name in classes]
    taken = {*_ADDED, "row", *scored}
    copied = [_renamed(name, rows.columns, taken) for name in rows.columns]
    try:
        with temporary.open("w", encoding="utf-8", newline="", errors="replace") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(map(_cell, ["row", *copied, *_ADDED[:2], *scored, "problem"]))
            for row, answer in answered:
                count += 1
                problems += bool(answer.problem)
                writer.writerow(
                    [
                        row.number,
                        *(_cell(row.values.get(name)) for name in rows.columns),
                        _predicted(answer.prediction),
                        _number(answer.confidence),
                        *(_number(answer.probabilities.get(name)) for name in classes),
                        _cell(answer.problem),
                    ]
                )
        os.replace(temporary, target)
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
    return count, problems


def _renamed(name: str, columns: Sequence[str], taken: Collection[str]) -> str:
    """Returns a column's name, with a prefix if the file that is written has another column of this name."""
    own = name
    while name in taken or (name != own and name in columns):
        name = f"input_{name}"
    return name


def _predicted(value: Any) -> str:
    """Returns a prediction as a cell: labels joined by semicolons are read back by own data, tags are JSON."""
    if isinstance(value, float):
        return _number(value)
    # A prediction whose end is missing would be another one, whatever a spreadsheet keeps of it.
    return _cell(value, sys.maxsize)


def _cell(value: Any, limit: int = _LONGEST_CELL) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return _number(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    # A number is no formula, although it may begin with a minus.
    return text if _NUMBER.fullmatch(text) else no_formula(visible(text, limit))


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.9g}"


@contextmanager
def _bar(rows: RowFile) -> Iterator[Callable[[Iterator[Any]], Iterator[Any]]]:
    """Yields a function that shows the progress through a file while its argument is iterated."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=is_quiet() or not console.is_terminal
    ) as progress:
        task = progress.add_task("predicting", total=1.0)

        def shown(items: Iterator[Any]) -> Iterator[Any]:
            for number, item in enumerate(items):
                if number % 64 == 0:
                    progress.update(task, completed=rows.share(), description=f"{number:,} rows")
                yield item

        yield shown
