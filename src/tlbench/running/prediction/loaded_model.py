"""The winner of a cell as a Python object that predicts lists of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import UsageError
from tlbench.contracts.record import Record
from tlbench.results.reading.default_folder import results_folder
from tlbench.running.prediction.fitted_temperature import temperature_of
from tlbench.running.prediction.input_forms import Columns, chosen_columns
from tlbench.running.prediction.predicting import RowPredictor
from tlbench.running.prediction.row_files import InputRow
from tlbench.running.winners.kept_winner import KeptWinner, kept_winner


class LoadedModel:
    """A cell's winner, from `tlbench.load`."""

    def __init__(self, winner: KeptWinner, predictor: RowPredictor, notes: Sequence[str] = ()) -> None:
        self._winner = winner
        self._predictor = predictor
        self.notes = tuple(notes)
        """What the user should know, such as how predictions differ from the stored ones; empty if nothing."""

    @property
    def record(self) -> Record:
        """The record of the cell, with its scores."""
        return self._winner.record

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, labels or tags; empty for other outputs."""
        return self._winner.job.task.output.classes

    def predict(self, rows: Sequence[Any], text: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Returns one dictionary for each row, in order.

        It has `prediction` (a class name, a list of label names or of tags, a number or a text), `confidence` (the
        calibrated probability that it is right, or None), `probabilities` by class, and `problem`: empty, or why the
        row could not be predicted, and then `prediction` is None.

        Args:
            rows: Texts, paths or Pillow images; lists of words, pairs of texts, or dictionaries by column.
            text: Columns of the inputs in dictionaries; found by their names if there are none.

        Raises:
            UsageError: The rows are one text, or it is unclear which columns of dictionaries are meant.
        """
        if isinstance(rows, str | bytes | Mapping):
            raise UsageError("predict takes a list of rows: put the one row in a list")
        # Of a pandas data frame: its rows.
        items = rows.to_dict("records") if hasattr(rows, "to_dict") else list(rows)
        columns = self._columns(items, text)
        given = [InputRow(number, _values(row, columns)) for number, row in enumerate(items, 1)]
        return [
            {
                "prediction": answer.prediction,
                "confidence": answer.confidence,
                "probabilities": dict(answer.probabilities),
                "problem": answer.problem,
            }
            for _, answer in self._predictor.predict(given, columns, Path())
        ]

    def _columns(self, rows: Sequence[Any], text: Sequence[str]) -> Columns:
        form = self._predictor.form
        first = next((row for row in rows if isinstance(row, Mapping)), None)
        if first is None:
            return tuple((str(place),) for place in range(form.count))
        return chosen_columns(form, [str(name) for name in first], text, self._predictor.columns)


def _values(row: Any, columns: Columns) -> dict[str, Any]:
    if isinstance(row, Mapping):
        return {str(name): value for name, value in row.items()}
    values = row if len(columns) > 1 and isinstance(row, list | tuple) else (row,)
    return {names[0]: value for names, value in zip(columns, values, strict=False)}


def loaded_model(
    cell: str, out: str | Path | None = None, device: str = "auto", seed: int | None = None
) -> LoadedModel:
    """Returns a cell's winner; see `tlbench.load`."""
    folder = results_folder(out)
    winner = kept_winner(cell, folder, Catalog.discover(), device=device, seed=seed)
    temperature, reason = temperature_of(winner.record, winner.fit.seed, folder)
    notes = [f"confidence is not calibrated: {reason}"] if reason else []
    return LoadedModel(winner, RowPredictor.of(winner, temperature), (*winner.notes, *notes))
