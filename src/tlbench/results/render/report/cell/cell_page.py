"""What the HTML page of a cell shows of its record."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tlbench.contracts.record import Record, TestScore
from tlbench.results.columns import Row
from tlbench.results.render import value_texts as cells
from tlbench.results.render.commands.repeating import narrowed_space, repeat_command
from tlbench.results.render.report.cell.example_tables import example_tables
from tlbench.results.render.report.cell.map_section import map_chart
from tlbench.results.render.report.cell.parallel_chart import parallel_chart
from tlbench.results.render.report.cell.shown_pictures import ShownPicture, shown_pictures
from tlbench.results.render.report.cell.trial_charts import (
    KeyedChart,
    learning_chart,
    loss_chart,
    search_chart,
    trial_table,
)
from tlbench.results.render.report.matrices import SHADES, MatrixCell
from tlbench.results.render.report.report_tables import DataTable, TableCell, simple_table
from tlbench.results.render.report.templating import drawing

_MOST_CLASSES = 20
"""Largest number of classes for which the matrix is shown; beyond it, the most confused pairs are listed."""
_MOST_PAIRS = 20


PARALLEL = "Each line is a trial through its hyperparameters; darker is better, and the thick line is the winner."
_SCORE_HEADINGS = ("metric", "seed", "score", "95% interval", "examples")


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix: rows are true classes, columns predicted ones."""

    names: tuple[str, ...]
    rows: tuple[tuple[MatrixCell, ...], ...]


class CellPage:
    """The values of the template `cell.html`, computed on first access.

    Args:
        record: The cell's record.
        row: Its row of the leaderboard.
        predictions: The file of its test predictions, or None.
    """

    def __init__(self, record: Record, row: Row, predictions: Path | None) -> None:
        self.record, self.row, self._predictions = record, row, predictions

    def text(self, value: float | None) -> str:
        """Returns a value of the ranking metric."""
        return cells.measured(value, self.row)

    @cached_property
    def scores(self) -> DataTable:
        """The score of each metric and seed."""
        rows = [_score(score) for score in self.record.scores if not score.slice]
        return simple_table("scores", "Scores of the test split", _SCORE_HEADINGS, rows)

    @cached_property
    def slices(self) -> DataTable | None:
        """The scores of slices of the test split; None without slices."""
        rows = [[TableCell(score.slice, score.slice), *_score(score)] for score in self.record.scores if score.slice]
        return simple_table("slices", "Scores of slices", ("slice", *_SCORE_HEADINGS), rows) if rows else None

    @cached_property
    def facts(self) -> dict[str, str]:
        """What was chosen, how, and what it cost."""
        record, seconds, memory = self.record, self.record.seconds, self.record.memory
        found = {f"{name} (chosen)": f"{value}" for name, value in record.best_params.items()}
        found["validation"] = "" if record.validation is None else self.text(record.validation)
        found["encode once"] = cells.seconds(seconds.encode)
        found["fit once"] = cells.seconds(seconds.fit)
        found["search"] = cells.seconds(seconds.search)
        found["predict the test split"] = cells.seconds(seconds.predict)
        found["from start to record"] = cells.seconds(seconds.total)
        found["memory of a fit"] = cells.size(memory.host_own_bytes)
        found["peak of the process"] = cells.size(memory.host_peak_bytes)
        found["memory of the device"] = cells.size(memory.device_allocated_bytes)
        found["parameters"] = f"{record.parameters:,}"
        found["tuned parameters"] = f"{record.trainable_parameters:,}"
        found["examples served to a fit"] = f"{record.examples_seen:,}"
        found["test split opened"] = "once" if record.test_reads == 1 else f"{record.test_reads} times"
        return {name: text for name, text in found.items() if text and text != cells.NOTHING}

    @cached_property
    def environment(self) -> dict[str, str]:
        """Versions, machine and data."""
        made = self.record.provenance
        found = {"device": made.device, "precision": made.precision, "threads": str(made.threads or "")}
        found |= {"python": made.python, "platform": made.platform, "started": made.started}
        found |= dict(made.distributions)
        found |= {f"{split} data": digest for split, digest in made.data.items()}
        found |= {f"code of {name}": digest for name, digest in made.code.items()}
        return {name: text for name, text in found.items() if text}

    @cached_property
    def trials(self) -> DataTable | None:
        """The fits of the search."""
        return trial_table(self.record)

    @cached_property
    def charts(self) -> list[KeyedChart]:
        """Charts of the search and of learning, and parallel coordinates of the trials."""
        better = bool(self.row["greater_is_better"])
        parallel = parallel_chart(self.record, self.text, better)
        found = [
            search_chart(self.record, self.text, better),
            learning_chart(self.record, self.text),
            loss_chart(self.record),
            KeyedChart("Hyperparameters", drawing(parallel), (), PARALLEL) if parallel else None,
        ]
        return [chart for chart in found if chart is not None]

    @cached_property
    def classes(self) -> DataTable | None:
        """Precision, recall and F1 of each class; None without classes."""
        if not self.record.report.classes:
            return None
        rows = [
            [
                TableCell(one.name, one.name),
                *(TableCell(cells.points(share), share) for share in (one.precision, one.recall, one.f1)),
                TableCell(f"{one.support:,}", one.support),
            ]
            for one in self.record.report.classes
        ]
        return simple_table("classes", "Scores of each class", ("class", "precision", "recall", "F1", "examples"), rows)

    @cached_property
    def confusion(self) -> Confusion | None:
        """The confusion matrix of up to 20 classes; None if there is none or there are more."""
        report = self.record.report
        if not report.names or len(report.names) > _MOST_CLASSES:
            return None
        counts = {(true, predicted): number for true, predicted, number in report.confusion}
        totals = [
            max(1, sum(counts.get((i, j), 0) for j in range(len(report.names)))) for i in range(len(report.names))
        ]
        rows = tuple(
            tuple(
                MatrixCell(f"{number:,}", round(SHADES * number / totals[i]))
                for j in range(len(report.names))
                for number in (counts.get((i, j), 0),)
            )
            for i in range(len(report.names))
        )
        return Confusion(report.names, rows)

    @cached_property
    def confused(self) -> DataTable | None:
        """The pairs of classes that are confused most, where there are too many classes for a matrix."""
        report = self.record.report
        if len(report.names) <= _MOST_CLASSES:
            return None
        wrong = sorted((entry for entry in report.confusion if entry[0] != entry[1]), key=lambda entry: -entry[2])
        rows = [
            [
                *(TableCell(report.names[i], report.names[i]) for i in (true, predicted)),
                TableCell(f"{number:,}", number),
            ]
            for true, predicted, number in wrong[:_MOST_PAIRS]
        ]
        return simple_table("confused", "Confused most", ("true class", "prediction", "examples"), rows)

    @cached_property
    def examples(self) -> list[DataTable]:
        """The worst and the least certain examples."""
        return example_tables(self.record, self._predictions)

    @cached_property
    def pictures(self) -> list[ShownPicture]:
        """Pictures of a few test examples, of outputs that draw them."""
        return shown_pictures(self._predictions)

    @cached_property
    def map(self) -> KeyedChart | None:
        """The map of the encoder's features; None if it was not made."""
        return map_chart(self.record, self._predictions)

    @cached_property
    def command(self) -> str:
        """The command that runs the cell again."""
        return repeat_command(self.record.cell)

    @cached_property
    def space(self) -> str:
        """What the suite narrowed of the search space, which no option of the command says."""
        return narrowed_space(self.record.cell)


def _score(score: TestScore) -> list[TableCell]:
    return [
        TableCell(score.metric, score.metric),
        TableCell(f"{score.seed}", score.seed),
        TableCell(f"{score.value:.4f}", score.value),
        TableCell(f"{score.low:.4f}\u2013{score.high:.4f}", score.low),
        TableCell(f"{score.n:,}", score.n),
    ]
