"""Splits that files lack: carved from train, and drawn by shares."""

from __future__ import annotations

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tlbench import DataError, UsageError
from tlbench.catalog.catalog import Catalog
from tlbench.cli.app import _main
from tlbench.running.splits import Splits


def write_csv(path, rows, columns=("text", "label")):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def split_folder(folder, train, test):
    write_csv(folder / "train.csv", train)
    write_csv(folder / "test.csv", test)
    return folder


def task_of(path, params="", scheme="csv"):
    return Catalog.discover().task(f"{scheme}:{path}{params}").item


def splits_of(task):
    return {split: task.split(split) for split in ("train", "validation", "test")}


def refused(path, params, scheme="csv", error=DataError):
    with pytest.raises(error) as caught:
        task_of(path, params, scheme).output  # noqa: B018
    assert "\n" not in str(caught.value)
    return str(caught.value)


def repeated(count, distinct, classes):
    return [(f"text {row % distinct}", f"{row % distinct % classes:02}") for row in range(count)]


@pytest.mark.parametrize(
    ("train", "test", "size"),
    [
        (repeated(100, 20, 2), repeated(20, 20, 2), 20),
        (repeated(480, 120, 2), repeated(200, 200, 2), 96),
        (repeated(48, 48, 24), repeated(96, 96, 24), 10),
    ],
    ids=["181-carve-duplicates", "carve_dup", "carve_few"],
)
@pytest.mark.parametrize("params", ["", "[seed=3]"])
def test_a_carve_shares_no_text_with_train_and_takes_no_class(tmp_path, capsys, train, test, size, params):
    folder = split_folder(tmp_path, train, [(f"test {text}", label) for text, label in test])
    task = task_of(folder, params)
    splits = Splits(task)
    assert {e.inputs for e in splits.train}.isdisjoint({e.inputs for e in splits.validation})
    assert {e.target for e in splits.train} == set(range(len(task.output.names)))
    assert len(splits.validation) == size
    how = f"(validation: {size} of {len(train)} training rows carved by seed {params[6:-1] or 0}, stratified by class)"
    assert how in task.description
    assert _main(["plan", "--task", f"csv:{folder}{params}", "--strategy", "majority"]) == 0
    assert how in capsys.readouterr().err


def numbered(count=100):
    """Rows of twenty patients, with two dates a year."""
    return [
        (f"text {row}", "ab"[row % 2], f"p{row // 5}", f"{2000 + row // 10}-0{1 + row // 5 % 2}-15")
        for row in range(count)
    ]


COLUMNS = ("text", "label", "patient", "when")


@pytest.fixture
def patients(tmp_path):
    return write_csv(tmp_path / "a.csv", numbered(), COLUMNS)


@pytest.mark.parametrize(
    ("params", "sizes"),
    [
        ("[validation=0.2]", (70, 20, 10)),
        ("[test=.3,validation=2e-1]", (50, 20, 30)),
        ("[test=0.3]", (60, 10, 30)),
        ("[validation=0.2,time=when]", (70, 20, 10)),
        ("[validation=0.2,group=patient,seed=7]", (70, 20, 10)),
    ],
)
def test_shares_of_a_file_that_is_not_split(patients, params, sizes):
    assert tuple(task_of(patients, params).sizes.values()) == sizes


@pytest.mark.parametrize("scheme", ["csv", "tsv", "jsonl", "parquet"])
def test_a_share_is_carved_from_train(tmp_path, scheme):
    for split in ("train", "test"):
        rows = [{"text": f"{split} {row}", "label": "ab"[row % 2]} for row in range(40)]
        if scheme == "jsonl":
            (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        elif scheme == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{split}.parquet")
        else:
            mark = "," if scheme == "csv" else "\t"
            lines = [mark.join(row.values()) for row in rows]
            (tmp_path / f"{split}.{scheme}").write_text("\n".join([f"text{mark}label", *lines]))
    assert task_of(tmp_path, "[validation=0.1]", scheme).sizes == {"train": 36, "validation": 4, "test": 40}
    whole = task_of(tmp_path, "", scheme)
    assert whole.sizes == {"train": 40, "test": 40}
    # The usual share, given or not, is the same carve.
    given = task_of(tmp_path, "[validation=0.2]", scheme)
    assert given.split("validation").fingerprint == Splits(whole).validation.fingerprint


def test_shares_of_words_and_questions(tmp_path):
    words = "".join(f"Ada{i} B-person\nslept{i} O\n\n" for i in range(20))
    for split in ("train", "test"):
        (tmp_path / f"{split}.conll").write_text(words)
        paragraphs = [
            {
                "context": f"It is here{i}.",
                "qas": [
                    {"id": f"{i}-{j}", "question": "Where?", "answers": [{"text": "here", "answer_start": 6}]}
                    for j in "ab"
                ],
            }
            for i in range(20)
        ]
        articles = [{"title": f"T{i}", "paragraphs": paragraphs[i * 4 : i * 4 + 4]} for i in range(5)]
        (tmp_path / f"{split}.json").write_text(json.dumps({"data": articles}))
    assert task_of(tmp_path, "[validation=0.3]", "conll").sizes == {"train": 14, "validation": 6, "test": 20}
    questions = task_of(tmp_path, "[validation=0.3]", "squad")
    assert questions.sizes == {"train": 28, "validation": 12, "test": 40}
    contexts = [{row.inputs[1] for row in questions.split(split)} for split in ("train", "validation")]
    assert contexts[0].isdisjoint(contexts[1])
    assert len({row.group for row in questions.split("test")}) == len(
        {row.inputs[1] for row in questions.split("test")}
    )
    assert {row.group for row in questions.split("train")} == {""}
    articles = task_of(tmp_path / "train.json", "[group=title]", "squad")
    assert "groups whole" in articles.description
    groups = [{row.group for row in rows} for rows in splits_of(articles).values()]
    assert sum(map(len, groups)) == 5
    assert "group=title" in refused(tmp_path, "[group=context]", "squad", UsageError)
    assert "conll: has the groups of group=document" in refused(tmp_path, "[group=doc]", "conll", UsageError)
    assert "no line -DOCSTART- or # newdoc" in refused(tmp_path, "[group=document]", "conll")
    assert "squad: does not use time=" in refused(tmp_path, "[time=when]", "squad", UsageError)


def test_a_test_split_out_of_train(tmp_path):
    write_csv(tmp_path / "train.csv", repeated(50, 50, 2))
    write_csv(tmp_path / "valid.csv", [("other 1", "00"), ("other 2", "01")])
    task = task_of(tmp_path, "[test=0.2]")
    assert task.sizes == {"train": 40, "validation": 2, "test": 10}
    assert "(test: 20% of the training rows drawn by seed 0, stratified by class)" in task.description


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ("[validation=0]", "validation=0: a share of the rows must lie between 0 and 1, as in validation=0.1"),
        ("[validation=1]", "validation=1: a share"),
        ("[test=-0.1]", "test=-0.1: a share"),
        ("[test=20]", "test=20: a share"),
        ("[validation=10%]", "validation=10%: a share"),
        ("[validation=0.5,test=0.5]", "validation=0.5 and test=0.5 leave no rows to train on"),
        ("[validation=0.3,time=patient,group=patient]", "group= and time= name the same column"),
    ],
)
def test_shares_that_cannot_be_are_one_line_and_status_2(patients, capsys, params, words):
    assert words in refused(patients, params, error=UsageError)
    assert _main(["show", f"csv:{patients}{params}"]) == 2
    assert words in capsys.readouterr().err


def test_a_share_that_is_a_file_too(tmp_path, patients):
    write_csv(tmp_path / "0.1", numbered(20), COLUMNS)
    assert "write validation=./0.1 for the file" in refused(patients, "[validation=0.1,test=0.2]", error=UsageError)
    task = task_of(patients, "[validation=./0.1,test=0.2]")
    assert task.sizes == {"train": 80, "validation": 20, "test": 20}


def test_a_share_of_a_split_that_has_a_file(tmp_path):
    split_folder(tmp_path, repeated(20, 20, 2), repeated(20, 20, 2))
    assert "test=0.2 takes test from the training rows, but test.csv is there" in refused(tmp_path, "[test=0.2]")
    write_csv(tmp_path / "dev.csv", repeated(20, 20, 2))
    assert "validation=0.2 takes validation from the training rows, but dev.csv" in refused(
        tmp_path, "[validation=0.2]"
    )
    for params in ("[seed=1]", "[label=label,time=label]"):
        assert "has no effect, since the files have every split" in refused(tmp_path, params)


def test_a_name_with_a_share_has_one_form(patients):
    catalog = Catalog.discover()
    names = {catalog.task(f"csv:{patients}[validation={text}]").ref.name for text in ("0.2", ".20", "2e-1")}
    assert len(names) == 1
    assert Catalog.discover().task(names.pop()).item.sizes["validation"] == 20
