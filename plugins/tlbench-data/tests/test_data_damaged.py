"""Files that are damaged or can be read in two ways are refused in one line, and never read as something else."""

from __future__ import annotations

import json
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tlbench import Classes, DataError, TokenClasses, UsageError
from tlbench.catalog.catalog import Catalog

ROWS = "text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(40))


def named(source, path, options=""):
    return Catalog.discover().task(f"{source}:{path}{options}").item


def written(tmp_path, name, content):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(source, path, options=""):
    with pytest.raises((DataError, UsageError)) as caught:
        named(source, path, options).output  # noqa: B018
    assert "\n" not in str(caught.value)
    return str(caught.value)


def json_rows(row_of, count=40):
    return "".join(json.dumps(row_of(i)) + "\n" for i in range(count))


def labelled(label_of):
    return json_rows(lambda i: {"text": f"text {i}", "label": label_of(i)})


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (ROWS.encode("utf-16-le"), "", "line 1: a NUL character in the header: the file is damaged, or in another enc"),
        (ROWS, "[encoding=punycode]", "not punycode: "),
        (ROWS, "[encoding=undefined]", "not undefined: "),
        (
            ROWS + '"open,a\nb,b\n',
            "",
            "line 42: the quotation mark that begins a field in this row is not closed; double",
        ),
        (ROWS.replace("text,label", "text,Text,label").replace(",a", ",x,a").replace(",b", ",x,b"), "", "[text=Text]"),
        (ROWS.replace("text,label", "Label,label"), "[text=Label]", ""),
        (
            ROWS.replace("text,label", "Label,label"),
            "",
            "Label and label are columns of one name: set [label=Label] or",
        ),
        (ROWS, "[text=text,text2=text]", "text= and text2= name one column, text: leave text2= out"),
        (ROWS.replace("text ", "text").replace("\n", "\r"), "[quotes=false]", ""),
        (" \n \n", "", "name the columns, as [text=...,label=...]; there is nothing"),
        ("text,label\none,a\n", "", "1 row is too few to split: validation would be empty; every class keeps a row in"),
        (
            "text,label\n" + "same,a\nsame,b\n" * 20,
            "",
            "40 rows are too few to split: validation would be empty; every",
        ),
    ],
)
def test_tables(tmp_path, content, options, message):
    path = written(tmp_path, "a.csv", content)
    if message:
        assert message in refused("csv", path, options)
    else:
        assert named("csv", path, options).sizes == {"train": 32, "validation": 4, "test": 4}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "x", "label": "a", "label": "b"}\n', "line 1: an object has the field 'label' twice"),
        (f'{{"text": "x", "label": {"1" * 5000}}}\n', "line 1: a number has too many digits"),
        (f'{{"text": "x", "label": {"[" * 500}1{"]" * 500}}}\n' * 2, "nested too deeply"),
        (labelled(lambda i: ["a"] if i % 2 else "b"), "line 2: label is ['a'], a list of labels, but 'b' in line 1 is"),
        (labelled(lambda i: "b" if i % 2 else ["a"]), "line 1: label is ['a'], a list of labels, but 'b' in line 2 is"),
        (labelled(lambda i: [0, 1] if i else [0, 1, 1]), "line 2: label is [0, 1], but [0, 1, 1] in line 1: lists of"),
        (
            labelled(lambda i: "ab"[i % 2] if i != 5 else None),
            "1 of 40 rows cannot be used: 1 without a label (line 6)",
        ),
    ],
)
def test_json_lines(tmp_path, content, message):
    assert message in refused("jsonl", written(tmp_path, "a.jsonl", content))


def test_lists_are_no_classes(tmp_path):
    path = written(tmp_path, "a.jsonl", labelled(lambda i: [["a"], ["b", "c"]][i % 2]))
    assert "a list of labels, where kind=classes has one" in refused("jsonl", path, "[kind=classes]")


@pytest.mark.parametrize("lacking", [0, 5])
@pytest.mark.parametrize("field", ["text", "label"])
def test_a_field_that_a_json_row_lacks_is_an_empty_cell(tmp_path, lacking, field):
    rows = json_rows(lambda i: {"text": f"text {i}", "label": "ab"[i % 2]} if i != lacking else {"x": 1})
    path = written(
        tmp_path, "a.jsonl", rows.replace('{"x": 1}', '{"label": "a"}' if field == "text" else '{"text": "x"}')
    )
    assert f"(line {lacking + 1}); drop_missing=true leaves such rows out" in refused("jsonl", path)
    assert sum(named("jsonl", path, "[drop_missing=true]").sizes.values()) == 39


def test_fields_of_objects_are_groups_and_times(tmp_path):
    rows = json_rows(lambda i: {"text": f"text {i}", "label": "ab"[i % 2], "meta": {"who": i // 4, "when": 2000 + i}})
    path = written(tmp_path, "a.jsonl", rows)
    assert "groups whole" in named("jsonl", path, "[group=meta.who]").description
    assert "by time: train to 2031" in named("jsonl", path, "[time=meta.when]").description


@pytest.mark.parametrize("source", ["jsonl", "tsv", "conll"])
def test_line_ends_of_old_macs(tmp_path, source):
    content = {
        "jsonl": labelled(lambda i: "ab"[i % 2]),
        "tsv": ROWS.replace(",", "\t"),
        "conll": "".join(f"Anna{i} B-PER\nsang O\n\n" for i in range(40)),
    }[source]
    path = written(tmp_path, f"a.{source}", content.replace("\n", "\r"))
    assert named(source, path).sizes == {"train": 32, "validation": 4, "test": 4}


CLASS_NAMES = {
    "twice": ({"label": {"_type": "ClassLabel", "names": ["bad", "bad"]}}, "calls two classes of label 'bad'; rename"),
    "list": ([1], ""),
    "objects": ({"label": {"_type": "ClassLabel", "names": [["x"], {}]}}, ""),
}


@pytest.mark.parametrize("case", CLASS_NAMES)
def test_class_names_of_parquet(tmp_path, case):
    features, message = CLASS_NAMES[case]
    table = pa.table({"text": [f"text {i}" for i in range(40)], "label": [i % 2 for i in range(40)]})
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path := tmp_path / "a.parquet")
    if message:
        assert message in refused("parquet", path)
    else:
        assert named("parquet", path).output == Classes(("0", "1"))


def test_metadata_of_parquet_that_is_nested_too_deeply(tmp_path):
    table = pa.table({"text": [f"text {i}" for i in range(40)], "label": [i % 2 for i in range(40)]})
    pq.write_table(table.replace_schema_metadata({b"huggingface": b"[" * 100_000}), path := tmp_path / "a.parquet")
    assert named("parquet", path).output == Classes(("0", "1"))


def test_columns_of_parquet(tmp_path):
    texts = pa.array(["a", "b"])
    pq.write_table(
        pa.table([texts, texts, texts], names=["text", "text", "label"]), twice := tmp_path / "twice.parquet"
    )
    assert refused("parquet", twice).endswith("two columns are called 'text'")
    far = pa.array([10**18, 1], pa.timestamp("us"))
    pq.write_table(pa.table({"text": texts, "label": texts, "when": far}), path := tmp_path / "far.parquet")
    assert "not a Parquet file that can be read: date value out of range" in refused("parquet", path)


def test_tags_in_small_letters(tmp_path):
    path = written(tmp_path, "a.conll", "".join(f"anna{i} b-per\nsang o\n\n" for i in range(20)))
    assert "map=b-per:B-PER+o:O, or set tag_scheme=plain" in refused("conll", path)
    assert named("conll", path, "[map=b-per:B-PER+o:O]").output == TokenClasses(("O", "B-PER"))
    assert named("conll", path, "[tag_scheme=plain]").output == TokenClasses(("o", "b-per"))


def test_questions(tmp_path):
    def written_as(identity, question):
        qas = [{"id": identity, "question": question, "answers": [{"text": "Oslo", "answer_start": 6}]}] * 2
        data = {"data": [{"title": "t", "paragraphs": [{"context": "It is Oslo.", "qas": qas}]}]}
        return written(tmp_path, f"{identity}.json", json.dumps(data))

    assert "2 questions have the id 'one'; give every question one of its own" in refused(
        "squad", written_as("one", "Q")
    )
    assert "question nul: the question has a NUL character" in refused("squad", written_as("nul", "Q\0"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train.csv", "train.csv.gz", "test.csv"), "train.csv and train.csv.gz would both be of the train split"),
        (("train-00000-of-00002.csv", "test.csv"), "only 1 of the 2 shards of the train split are there"),
        (("train-00000-of-00001.csv", "train.csv", "test.csv"), "would both be of the train split; remove or rename"),
        (("train.csv", "test.csv", "val.csv", "dev.csv"), ""),
        (("train-00000-of-00002.csv", "train-00001-of-00002.csv", "test.csv"), ""),
    ],
)
def test_folders(tmp_path, names, message):
    for name in names:
        written(tmp_path, f"data/{name}", ROWS)
    if message:
        assert message in refused("csv", tmp_path / "data")
        return
    task = named("csv", tmp_path / "data")
    assert ("; not read: dev.csv" in task.description) == ("dev.csv" in names)
    assert task.sizes["train"] == (40 if "train.csv" in names else 80)


def images(folder, count=20):
    folder.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(np.full((2, 2), number, dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


def test_a_folder_of_images_with_a_table(tmp_path):
    folder = images(tmp_path / "data")
    written(folder, "labels.csv", "file,label\n")
    hint = f"imagefolder:{folder} reads them, with [labels=labels.csv] if that has their labels"
    assert hint in refused("csv", folder)


def test_labels_of_images_are_read_as_those_of_texts(tmp_path):
    folder = images(tmp_path / "data")
    for name, labels in (("numbers", ("1", "1.0", "2")), ("alike", ("cat", "Cat", "dog")), ("nul", ("a\0", "b", "c"))):
        rows = "".join(f"{i}.png,{labels[i % 3]}\n" for i in range(20))
        written(folder, f"{name}.csv", f"File,Label\n{rows}")
    assert named("imagefolder", folder, "[labels=numbers.csv]").output == Classes(("1", "2"))
    alike = named("imagefolder", folder, "[labels=alike.csv]")
    assert "labels that look alike: ('Cat', 'cat'); map= joins them" in alike.description
    assert "7 rows with a NUL character (line 2, " in refused("imagefolder", folder, "[labels=nul.csv]")


def test_folders_inside_all_class_folders_are_said_to_be_no_classes(tmp_path):
    for number, name in enumerate(("first/cat", "first/dog", "second/cat", "second/dog")):
        images(tmp_path / "data" / name, count=5 + number)
    assert (
        "every class folder holds cat, dog, which are no classes" in named("imagefolder", tmp_path / "data").description
    )


def test_idx_files_without_images(tmp_path):
    for what, axes in (("images", 3), ("labels", 1)):
        written(tmp_path, f"train-{what}-idx{axes}-ubyte", struct.pack(f">HBB{axes}I", 0, 8, axes, *[0, 2, 2][:axes]))
    assert "train-images-idx3-ubyte: the file has no images" in refused("idx", tmp_path)


def test_names_with_nul(tmp_path):
    written(tmp_path, "names.txt", "a\0\nb\n")
    assert "names.txt: a NUL character in a name" in refused(
        "csv", written(tmp_path, "a.csv", ROWS), "[labels=names.txt]"
    )


def test_metrics_of_other_outputs(tmp_path):
    message = "metric=bleu does not score Classes: choose accuracy, "
    assert message in refused("csv", written(tmp_path, "a.csv", ROWS), "[metric=bleu]")
    assert message in refused("imagefolder", images(tmp_path / "images"), "[metric=bleu]")
