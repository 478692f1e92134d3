"""Winners on own data predict new files: columns are found by the task's own names, images by folder or by column."""

import csv
import json
import random

import pytest
from PIL import Image

from tlbench.catalog.catalog import Catalog
from tlbench.cli.app import _main
from tlbench.results.records.store import Store


@pytest.fixture
def predicted(tmp_path, capsys):
    """Runs a strategy on a task and predicts a file or folder; returns the rows of the file that is written."""
    out, target = tmp_path / "out", tmp_path / "predicted.csv"

    def run(task, strategy, source, *options):
        arguments = ["-S", strategy, "--seeds", "1", "--no-baseline", "--executor", "inline", "--out", str(out), "-q"]
        assert _main(["run", "-t", task, *arguments, "--keep-models", "all"]) == 0
        (record,) = Store.open(out).records()
        what = [record.cell.id, str(source), "-o", str(target), "--out", str(out), *options]
        assert _main(["predict", *what]) == 0, capsys.readouterr().err
        with target.open(newline="") as file:
            return list(csv.DictReader(file))

    return run


def test_joined_columns_of_a_table_are_found_again(predicted, tmp_path):
    draw = random.Random(0)
    lines = [("id", "title", "body", "stars")]
    for number in range(60):
        good = number % 2
        word = draw.choice(("lovely", "fresh", "clever") if good else ("dull", "awful", "stale"))
        lines.append(
            (str(number), word, f"the {draw.choice(('film', 'song'))} number {number}", "high" if good else "low")
        )
    (tmp_path / "own.csv").write_text("\n".join(",".join(line) for line in lines))
    new = ["body;other;title", "the film;1;awful", "the song;2;lovely", ";3;"]
    (tmp_path / "new.csv").write_text("\n".join(new))
    task = f"csv:{tmp_path}/own.csv[text=title+body,label=stars]"
    assert Catalog.discover().task(task).item.input_columns == (("title", "body"),)
    rows = predicted(task, "tfidf", tmp_path / "new.csv")
    assert [(row["other"], row["prediction"], row["problem"]) for row in rows] == [
        ("1", "low", ""),
        ("2", "high", ""),
        ("3", "", "the text is empty"),
    ]


@pytest.mark.parametrize("by", ["folder", "column"])
def test_images_come_from_a_folder_or_from_a_column_of_paths(predicted, tmp_path, by):
    colours = {"red": (200, 20, 20), "blue": (20, 20, 200)}
    for name, colour in colours.items():
        for number in range(10):
            folder = tmp_path / "own" / name
            folder.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), tuple(part + number for part in colour)).save(folder / f"{number}.png")
    new = tmp_path / "new"
    (new / "deeper").mkdir(parents=True)
    Image.new("RGB", (9, 7), colours["blue"]).save(new / "a.png")
    (new / "b.png").write_bytes(b"no image")
    Image.new("RGB", (9, 7), colours["red"]).save(new / "deeper" / "c.png")
    source, names = new, ["a.png", "b.png", "deeper/c.png"]
    if by == "column":
        source = new / "new.csv"
        source.write_text("id,path\n" + "".join(f"{name[0]},{name}\n" for name in names))
    rows = predicted(f"imagefolder:{tmp_path}/own", "colour-histogram", source)
    assert [row["path"] for row in rows] == names
    assert [row["prediction"] for row in rows] == ["blue", "", "red"]
    assert [row["problem"].partition(" (")[0] for row in rows] == ["", "not an image that can be read", ""]


def test_texts_are_generated_for_new_rows(predicted, tmp_path):
    lines = [{"document": f"one two three four {number}", "summary": f"one two {number}"} for number in range(20)]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "new.jsonl").write_text('{"n": 7, "document": "five six seven"}\n{"n": 8}')
    rows = predicted(f"jsonl:{tmp_path}/own.jsonl[kind=text]", "lead", tmp_path / "new.jsonl")
    assert [row["n"] for row in rows] == ["7", "8"]
    assert rows[0]["prediction"].startswith("five")
    assert rows[1]["problem"] == "the text is empty"
