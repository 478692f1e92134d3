"""Pictures of test examples: drawn by an output, kept in the file of predictions, and shown in a report."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tlbench import Classes, Example, Examples
from tlbench.metrics.scored import Scored
from tlbench.results.pictures.stored_pictures import LARGEST_BYTES, MOST_PICTURES, stored_pictures
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.results.render.report.cell.shown_pictures import shown_pictures
from tlbench.running.scoring.scores import gather


def png(shade: int, side: int = 2) -> bytes:
    file = io.BytesIO()
    Image.new("L", (side, side), shade).save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True)
class Drawn(Classes):
    """Classes that draw a pixel of the shade 100 * target + 10 * prediction."""

    fails: bool = False
    content: bytes = b""

    def picture(self, example, target, prediction):
        if self.fails:
            raise ValueError("no pencil")
        return self.content or png(100 * int(target) + 10 * int(prediction))


EXAMPLES = Examples(Example(f"e{i}", (f"text {i}",), i % 2) for i in range(20))


def answers(shift: int = 0) -> Scored:
    targets = np.array([example.target for example in EXAMPLES])
    return Scored(targets, (targets + shift) % 2)


def written(folder, output) -> list:
    name = gather(folder, {0: answers(1), 3: answers()}, EXAMPLES, output)
    return stored_pictures(folder / name)


def test_pictures_of_the_first_seed_are_kept_at_equal_distances(tmp_path):
    found = written(tmp_path, Drawn(("a", "b")))
    assert [one.example for one in found] == ["e0", "e4", "e8", "e11", "e15", "e19"]
    assert len(found) == MOST_PICTURES
    assert [one.content for one in found] == [png(10), png(10), png(10), png(100), png(100), png(100)]
    predictions = read_predictions(tmp_path / "predictions.parquet")
    assert predictions.seeds == (0, 3)
    assert predictions.values.shape == (2, 20)


def test_an_output_that_draws_nothing_leaves_the_file_as_it_was(tmp_path):
    assert written(tmp_path, Classes(("a", "b"))) == []
    assert "picture" not in pq.read_schema(tmp_path / "predictions.parquet").names


def test_an_output_that_fails_to_draw_costs_no_score(tmp_path, caplog):
    assert written(tmp_path, Drawn(("a", "b"), fails=True)) == []
    assert "no pencil" in caplog.text
    assert read_predictions(tmp_path / "predictions.parquet") is not None


@pytest.mark.parametrize("content", [b"<svg onload='alert(1)'/>", b"\x89PNG\r\n\x1a\n" + bytes(LARGEST_BYTES)])
def test_what_is_no_small_picture_is_left_out(tmp_path, content):
    assert written(tmp_path, Drawn(("a", "b"), content=content)) == []
    # Nor is it shown from a file that somebody else wrote.
    columns = {"id": ["e0"], "picture": pa.array([content], pa.binary())}
    pq.write_table(pa.table(columns), tmp_path / "theirs.parquet")
    assert stored_pictures(tmp_path / "theirs.parquet") == []


@pytest.mark.parametrize("column", [pa.array(["text"]), pa.array([5]), pa.array([None], pa.binary())])
def test_a_column_of_something_else_has_no_pictures(tmp_path, column):
    pq.write_table(pa.table({"id": ["e0"], "picture": column}), tmp_path / "theirs.parquet")
    assert stored_pictures(tmp_path / "theirs.parquet") == []
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1")
    assert stored_pictures(tmp_path / "damaged.parquet") == []
    assert stored_pictures(tmp_path / "absent.parquet") == []


def test_a_page_holds_the_pictures_in_itself(tmp_path):
    written(tmp_path, Drawn(("a", "b")))
    first = shown_pictures(tmp_path / "predictions.parquet")[0]
    assert first.address == f"data:image/png;base64,{base64.b64encode(png(10)).decode()}"
    assert shown_pictures(None) == []
