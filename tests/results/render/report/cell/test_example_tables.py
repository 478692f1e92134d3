"""The worst and the least certain examples, from stored predictions."""

from __future__ import annotations

import pandas as pd
import pytest

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.fits.class_scores import ClassReport, ClassScore
from tlbench.contracts.record import Record
from tlbench.results.render.report.cell.example_tables import example_tables

CELL = Cell(Ref("t"), Ref("s"), Protocol(seeds=(0, 1)))
CLASSES = Record(CELL, "ok", report=ClassReport((ClassScore("no", 0, 0, 0, 1),), ("no", "yes")))
NUMBERS = Record(CELL, "ok")


def tables(record, folder, targets, of_seeds, scores=None):
    """Returns the rows of each table by its id; `of_seeds` has a list of values for each seed."""
    ids = [f"e{i}" for i in range(len(targets))]
    frames = [
        pd.DataFrame({"seed": seed, "id": ids, "target": targets, "value": values})
        for seed, values in enumerate(of_seeds)
    ]
    if scores is not None:
        frames = [frame.assign(scores=part) for frame, part in zip(frames, scores, strict=True)]
    pd.concat(frames).to_parquet(folder / "p.parquet")
    found = example_tables(record, folder / "p.parquet")
    return {table.id: [[cell.text for cell in row.cells] for row in table.rows] for table in found}


def test_classes_with_probabilities_are_sorted_by_the_mean_over_seeds(tmp_path):
    # e0 is wrong with certainty, e1 wrong in one seed of two, e2 right but close, e3 right.
    scores = [
        [[0.9, 0.1], [0.6, 0.4], [0.45, 0.55], [0.9, 0.1]],
        [[0.9, 0.1], [0.55, 0.45], [0.45, 0.55], [0.9, 0.1]],
    ]
    found = tables(CLASSES, tmp_path, [1, 1, 1, 0], [[0, 0, 1, 0], [0, 0, 1, 0]], scores)
    assert found["worst"] == [["e0", "yes", "no", "0.100"], ["e1", "yes", "no", "0.425"]]
    assert [row[0] for row in found["uncertain"]] == ["e2", "e1", "e0", "e3"]
    assert found["uncertain"][0] == ["e2", "yes", "yes", "0.100"]


@pytest.mark.parametrize(
    ("record", "targets", "of_seeds", "expected"),
    [
        (CLASSES, [0, 1, 1], [[0, 0, 0], [0, 1, 0]], [["e2", "yes", "no", "2.000"], ["e1", "yes", "no", "1.000"]]),
        (NUMBERS, [0.0, 2.0], [[0.5, 2.0], [1.5, 2.0]], [["e0", "0.000", "0.500", "1.000"]]),
        (NUMBERS, [["O", "B"], ["O"]], [[["O", "O"], ["O"]], [["O", "B"], ["O"]]], [["e0", "O B", "O O", "1.000"]]),
        (NUMBERS, [["a", "b"], ["c"]], [["b", "d"]], [["e1", "c", "d", "1.000"]]),
        (NUMBERS, [[0, 1], [1, 1]], [[[0, 1], [0, 1]]], [["e1", "1 1", "0 1", "1.000"]]),
    ],
    ids=["classes", "numbers", "tags", "accepted texts", "labels"],
)
def test_without_probabilities_the_largest_errors_are_shown(tmp_path, record, targets, of_seeds, expected):
    assert tables(record, tmp_path, targets, of_seeds) == {"worst": expected}


def test_a_damaged_file_or_none_has_no_examples(tmp_path):
    (tmp_path / "p.parquet").write_text("no parquet")
    assert example_tables(NUMBERS, tmp_path / "p.parquet") == []
    assert example_tables(NUMBERS, None) == []
