"""`tlbench predict`: all kinds of toy tasks, rows that are bad, and files that spreadsheets open."""

import csv
import json
import os
import signal

import pytest

from tests.untrusted.hostile_texts import ALL_HOSTILE
from tlbench.catalog.catalog import Catalog
from tlbench.cli.app import _main
from tlbench.contracts.errors import DataError
from tlbench.results.records.store import Store
from tlbench.running.prediction.row_files import open_rows
from tlbench.system.stop_signals import Stopped

KINDS = ("toy-tone", "toy-labels", "toy-count", "toy-names", "toy-span")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of results of one cell for each kind of toy task, and the ids of the cells by task."""
    out = tmp_path_factory.mktemp("finished") / "out"
    tasks = [part for name in KINDS for part in ("-t", name)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
        arguments = ["-b", "toy", "-S", "toy-tune", "--seeds", "1", "--no-baseline", "--executor", "inline", "-q"]
        assert _main(["run", *tasks, *arguments, "--keep-models", "all", "--out", str(out)]) == 0
    return out, {record.cell.task.name: record for record in Store.open(out).records()}


@pytest.fixture
def predict(finished, tmp_path, monkeypatch):
    """Predicts a file of lines or rows with a task's cell; returns the rows of the file that is written."""
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    out, records = finished

    def run(task, name, content, *options, status=0):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        target = tmp_path / "predicted.csv"
        what = [records[task].cell.id, str(tmp_path / name), "--to", str(target), "--out", str(out), *options]
        assert _main(["predict", *what]) == status
        with target.open(newline="") as file:
            return list(csv.DictReader(file))

    return run


def stored(finished, task):
    import pyarrow.parquet as pq

    out, records = finished
    return {row["id"]: row for row in pq.read_table(Store.open(out).predictions(records[task])).to_pylist()}


def shown(task, value):
    """Returns a stored prediction as the file has it."""
    if task == "toy-tone":
        return task_of(task).output.names[value]
    if task == "toy-labels":
        return [name for name, given in zip(task_of(task).output.names, value, strict=True) if given]
    return value


def task_of(name):
    return Catalog.discover().task(name).item


@pytest.mark.parametrize("task", KINDS)
def test_test_examples_are_predicted_as_in_the_run(task, predict, finished):
    examples = task_of(task).split("test")
    names = ("question", "context") if task == "toy-span" else ("words",) if task == "toy-names" else ("sentence",)
    lines = [json.dumps({"id": row.id, **dict(zip(names, row.inputs, strict=True))}) for row in examples]
    rows = predict(task, "new.jsonl", "\n".join(lines))
    kept = stored(finished, task)
    assert [row["id"] for row in rows] == [example.id for example in examples]
    for row in rows:
        expected = shown(task, kept[row["id"]]["value"])
        if task == "toy-count":
            assert float(row["prediction"]) == pytest.approx(expected, abs=1e-5)
        else:
            assert row["prediction"] == (expected if isinstance(expected, str) else json.dumps(expected))
        scores = kept[row["id"]].get("scores")
        if scores is not None:
            made = [float(row[f"p({name})"]) for name in task_of(task).output.names]
            assert made == pytest.approx(scores, abs=1e-5)
        assert not row["problem"]
    assert ("p(friendly)" in rows[0]) == (task in ("toy-tone", "toy-labels"))
    assert bool(rows[0]["confidence"]) == (task in ("toy-tone", "toy-labels"))


def test_bad_rows_are_kept_with_their_reason_and_cells_are_safe(predict, capsys):
    content = (
        b"=id,text,n\n@1,the film is lovely,-3\n2,,x\n3,one,two,three\n4,caf\xe9 is dull,+1\n5,a song is dull,=1\n"
    )
    rows = predict("toy-tone", "new.csv", content)
    assert [row["row"] for row in rows] == list("12345")
    assert [row["'=id"] for row in rows] == ["'@1", "2", "3", "4", "5"]
    assert [row["n"] for row in rows] == ["-3", "x", "two", "+1", "'=1"]
    assert [row["problem"] for row in rows] == [
        "",
        "the text is empty",
        "4 columns where 3 are expected",
        "the text has bytes that are not UTF-8",
        "",
    ]
    assert [bool(row["prediction"]) for row in rows] == [True, False, False, False, True]
    message = capsys.readouterr().err
    assert "5 rows in" in message
    assert "3 with a problem (column problem)" in message


def test_hostile_cells_and_headers_are_text_in_a_spreadsheet(predict):
    import io

    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["text", "id", *(f"{value}{place}" for place, value in enumerate(ALL_HOSTILE.values()))])
    for value in ALL_HOSTILE.values():
        writer.writerow(["the film is dull", value, *ALL_HOSTILE.values()])
    rows = predict("toy-tone", "new.csv", file.getvalue().encode(errors="surrogatepass"))
    assert len(rows) == len(ALL_HOSTILE)
    cells = [cell for row in rows for cell in (*row, *row.values())]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d"))]
    assert not [cell for cell in cells if "\x1b" in cell or "\n" in cell or "\u202e" in cell]
    assert {row["prediction"] for row in rows} <= {"friendly", "unfriendly"}


def test_columns_are_named_where_they_are_unclear(predict, capsys, tmp_path):
    content = "a;prediction;input_row;row\nthe film is dull;5;6;7\n"
    (row,) = predict("toy-tone", "new.csv", content, "--text", "a", "--no-probabilities")
    added = ["prediction", "confidence", "problem"]
    assert list(row) == ["row", "a", "input_prediction", "input_row", "input_input_row", *added]
    assert (row["input_row"], row["input_input_row"]) == ("6", "7")
    (tmp_path / "predicted.csv").unlink()
    for options, words in [
        ((), "it is unclear which columns hold a text: give --text COLUMN; the columns are a, b"),
        (("--text", "c"), "no column 'c'; the columns are a, b"),
        (("--text", "a", "--text", "b"), "2 columns are given, and the task reads a text: give 1"),
    ]:
        with pytest.raises(FileNotFoundError):  # nothing is written
            predict("toy-tone", "new.csv", "a,b\n1,2\n", *options, status=2)
        assert words in capsys.readouterr().err


def test_a_file_without_rows_and_files_that_are_no_tables(predict, capsys, tmp_path):
    assert predict("toy-tone", "new.csv", "text\n") == []
    os.mkfifo(pipe := tmp_path / "pipe.csv")
    predict("toy-tone", "new.csv", "text\nthe film\n".encode("utf-16"), status=2)  # and the former file is kept
    assert "new.csv: is in UTF-16: save it as UTF-8" in capsys.readouterr().err
    with pytest.raises(DataError, match="is no regular file"):  # opening it would wait for a writer
        open_rows(pipe)


def test_lines_of_text_and_a_file_without_a_good_row(predict, capsys):
    rows = predict("toy-tone", "new.txt", "the film is dull\n\nthe film is lovely")
    assert [row["problem"] for row in rows] == ["", "the text is empty", ""]
    rows = predict("toy-tone", "new.jsonl", '[1]\n{"text": 3}\n{"text"\n', status=1)
    assert [row["problem"].partition(":")[0] for row in rows] == ["not a JSON object", "3 is not a text", "not JSON"]


def test_status_and_show_say_what_is_kept_and_delete_removes_it(finished, tmp_path, monkeypatch, capsys):
    import shutil

    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    out, records = tmp_path / "out", finished[1]
    shutil.copytree(finished[0], out)
    cell = records["toy-tone"].cell.id
    assert _main(["show", cell, "--out", str(out)]) == 0
    assert "kept of seed 0:" in capsys.readouterr().out
    assert _main(["status", "--out", str(out)]) == 0
    assert "kept models:" in capsys.readouterr().out
    assert len(list((out / "models").iterdir())) == len(KINDS)
    assert _main(["delete", cell, "--yes", "--out", str(out)]) == 0
    assert [path.name for path in (out / "models").iterdir() if cell in path.name] == []
    assert len(list((out / "models").iterdir())) == len(KINDS) - 1


@pytest.mark.parametrize(("stop", "status"), [(KeyboardInterrupt(), 130), (Stopped(signal.SIGTERM), 143)])
def test_an_interruption_leaves_no_file_and_says_so(stop, status, finished, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    out, records = finished
    (tmp_path / "new.csv").write_text("text\nthe film is dull\n")

    def stopped(*arguments):
        raise stop

    monkeypatch.setattr("tlbench.running.prediction.predicting.RowPredictor._chunk", stopped)
    what = [records["toy-tone"].cell.id, str(tmp_path / "new.csv"), "-o", str(tmp_path / "p.csv"), "--out", str(out)]
    assert _main(["predict", *what]) == status
    assert capsys.readouterr().err.splitlines()[-1] == "tlbench: interrupted"
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]
