"""Predicts new rows in chunks; a row that cannot be predicted costs only itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from tlbench.contracts.errors import DataError
from tlbench.contracts.task import Example, Examples
from tlbench.running.prediction.answers import RowAnswer, answers_of
from tlbench.running.prediction.input_forms import Columns, InputForm, form_of, inputs_of
from tlbench.running.prediction.row_files import InputRow
from tlbench.running.winners.kept_winner import KeptWinner

CHUNK = {"text": 1024, "words": 1024, "image": 128}
"""Number of rows that are in memory together, by kind of input."""
T = TypeVar("T")


@dataclass(frozen=True)
class RowPredictor:
    """Predicts new rows with a model: a rebuilt winner, or an exported folder."""

    answers: Callable[[Examples], Sequence[RowAnswer]]
    """Returns the answer to each example, in order; it may raise anything for examples that it cannot read."""
    form: InputForm
    columns: Columns = ()
    """The columns of the task's own files, by input; empty if the task has none."""
    classes: Sequence[str] = ()
    """The names of the classes or labels that have a probability."""

    @classmethod
    def of(cls, winner: KeptWinner, temperature: float | None) -> RowPredictor:
        """Returns the predictor of a winner; the temperature is None if confidences are not calibrated."""
        task, output = winner.context.task.item, winner.job.task.output

        def answers(examples: Examples) -> Sequence[RowAnswer]:
            return answers_of(output, winner.predict(examples), temperature or 1.0)

        form = form_of(task.modality, output, len(winner.context.splits.train[0].inputs))
        # Tags have no probabilities.
        classes = output.classes if output.answers in ("numbers", "labels") else ()
        return cls(answers, form, task.input_columns, classes)

    def predict(self, rows: Iterable[InputRow], columns: Columns, folder: Path) -> Iterator[tuple[InputRow, RowAnswer]]:
        """Yields each row with its answer, in order; no more than a chunk of rows is in memory.

        Args:
            rows: The rows.
            columns: The columns of each input.
            folder: What paths of images are relative to.
        """
        for chunk in _chunks(rows, CHUNK[self.form.kind]):
            yield from zip(chunk, self._chunk(chunk, columns, folder), strict=True)

    def _chunk(self, rows: Sequence[InputRow], columns: Columns, folder: Path) -> list[RowAnswer]:
        answers: dict[int, RowAnswer] = {}
        examples: list[Example] = []
        for place, row in enumerate(rows):
            try:
                if row.problem:
                    raise DataError(row.problem)
                values = [[row.values.get(name) for name in names] for names in columns]
                examples.append(Example(str(place), inputs_of(self.form, values, folder)))
            except DataError as error:
                answers[place] = RowAnswer(problem=_one_line(error))
        answers |= {int(example.id): answer for example, answer in self._predicted(examples)}
        return [answers[place] for place in range(len(rows))]

    def _predicted(self, examples: Sequence[Example]) -> list[tuple[Example, RowAnswer]]:
        """Returns the answers for examples; if they fail together, each half is tried on its own."""
        if not examples:
            return []
        try:
            return list(zip(examples, self.answers(Examples(examples)), strict=True))
        except MemoryError:
            raise
        except Exception as error:
            if len(examples) == 1:
                return [(examples[0], RowAnswer(problem=_one_line(error)))]
        half = len(examples) // 2
        return [*self._predicted(examples[:half]), *self._predicted(examples[half:])]


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:200] if isinstance(error, DataError) else f"{type(error).__name__}: {text}"[:200]
