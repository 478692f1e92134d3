"""How a table is found in a file: its delimiter, the rows of a JSON object, and rows without a text or label."""

from __future__ import annotations

import json

import pytest

from tlbench import Classes, DataError, UsageError
from tlbench.catalog.catalog import Catalog

ROWS = [{"text": f"text {i}", "label": ("neg", "pos")[i % 2]} for i in range(60)]


def task_of(path, params="", scheme="csv"):
    return Catalog.discover().task(f"{scheme}:{path}{params}").item


def refused(path, params="", scheme="csv"):
    with pytest.raises(DataError) as caught:
        task_of(path, params, scheme).output  # noqa: B018
    assert "\n" not in str(caught.value)
    return str(caught.value)


def delimited(path, delimiter, text="text {i}, yes"):
    lines = [f"text{delimiter}label", *(f"{text.format(i=i)}{delimiter}{'ab'[i % 2]}" for i in range(40))]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.parametrize(("delimiter", "said"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")])
def test_the_delimiter_is_found_and_said(tmp_path, delimiter, said):
    path = delimited(tmp_path / "a.csv", delimiter)
    task = task_of(path)
    assert task.output == Classes(("a", "b"))
    assert task.notes == (f"columns separated by {said}",)
    assert task.split("train")[0].inputs[0].endswith(", yes")
    option = "tab" if delimiter == "\t" else delimiter
    named = Catalog.discover().task(f"csv:{path}[delimiter={option}]")
    assert named.ref.name.endswith(f"[delimiter={option}]")
    assert (named.item.notes, named.item.split("test").fingerprint) == ((), task.split("test").fingerprint)


def test_commas_are_kept_where_they_fit(tmp_path):
    path = delimited(tmp_path / "a.csv", ",", "text {i}; yes | no")
    assert task_of(path).notes == ()
    assert "separated" not in task_of(delimited(tmp_path / "a.tsv", "\t"), scheme="tsv").description


def test_a_tsv_with_commas(tmp_path):
    assert task_of(delimited(tmp_path / "a.tsv", ",", "text {i}"), scheme="tsv").notes == (
        "columns separated by commas",
    )


def test_a_header_that_two_delimiters_fit(tmp_path):
    (tmp_path / "a.csv").write_text("text;a|label\n" + "x;y|z\n" * 20)
    assert "set delimiter=; or delimiter=|" in refused(tmp_path / "a.csv")


def test_rows_without_a_header_that_two_delimiters_fit(tmp_path):
    (tmp_path / "a.csv").write_text("".join(f"text {i}, yes;{'ab'[i % 2]}\n" for i in range(40)))
    message = refused(tmp_path / "a.csv", "[header=false,text=0,label=1]")
    assert message.endswith('set delimiter="," or delimiter=;')
    assert task_of(tmp_path / "a.csv", "[header=false,text=0,label=1,delimiter=;]").output == Classes(("a", "b"))


def test_a_delimiter_that_does_not_occur(tmp_path):
    path = delimited(tmp_path / "a.csv", ";", "text {i}")
    assert "delimiter='|' gives the one column text;label" in refused(path, "[delimiter=|]")
    with pytest.raises(UsageError, match="give one character, or tab"):
        task_of(path, "[delimiter=;;]")
    (tmp_path / "a.jsonl").write_text(json.dumps(ROWS[0]))
    with pytest.raises(UsageError, match="jsonl: does not use delimiter="):
        task_of(tmp_path / "a.jsonl", "[delimiter=;]", "jsonl")


COLUMNS = {name: [row[name] for row in ROWS] for name in ("text", "label")}
BY_KEY = {name: {str(i): row[name] for i, row in enumerate(ROWS)} for name in ("text", "label")}


@pytest.mark.parametrize(
    ("whole", "params", "notes"),
    [
        (ROWS, "", ()),
        ({"version": "1", "data": ROWS}, "", ("rows from 'data'",)),
        ({"train": ROWS, "more": ROWS[:2]}, "[field=train]", ("rows from 'train'",)),
        ({"data": {"train": ROWS}}, "[field=data.train]", ("rows from 'data.train'",)),
        (COLUMNS, "", ("rows from columns of equal length",)),
        (BY_KEY, "", ("rows from columns of equal length",)),
        ({"data": COLUMNS}, "[field=data]", ("rows from the columns in 'data'",)),
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_one_json_value(tmp_path, whole, params, notes, indent):
    (tmp_path / "lines.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    (tmp_path / "a.json").write_text(json.dumps(whole, indent=indent))
    task = task_of(tmp_path / "a.json", params, "jsonl")
    assert task.notes == notes
    lines = task_of(tmp_path / "lines.jsonl", scheme="jsonl")
    assert task.split("test").fingerprint == lines.split("test").fingerprint


@pytest.mark.parametrize(
    ("whole", "params", "message"),
    [
        ({"train": ROWS, "test": ROWS}, "", "one JSON object with the lists train, test: choose one, as [field=train]"),
        ({"version": "1", "data": ROWS}, "[field=dat]", "field=dat: there is no 'dat', but version, data"),
        ({"version": "1", "data": ROWS}, "[field=version]", "field=version is '1', not a list of objects"),
        ({"a": {"b": ROWS}}, "", "one JSON object with the fields a, none of which is a list of objects"),
        (ROWS, "[field=data]", "field= is for one JSON object, and this is a list"),
        ({"data": [{"title": "t", "paragraphs": []}]}, "", "squad: reads those"),
    ],
)
def test_json_that_has_to_be_explained(tmp_path, whole, params, message):
    (tmp_path / "a.json").write_text(json.dumps(whole))
    assert message in refused(tmp_path / "a.json", params, "jsonl")


def test_a_field_of_lines(tmp_path):
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    message = refused(tmp_path / "a.jsonl", "[field=text]", "jsonl")
    assert message.endswith("field= is for one JSON object, and this file has one on each line")


def test_an_indented_object_that_is_cut_off(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"data": ROWS}, indent=1)[:-20])
    assert "a.json: not JSON" in refused(tmp_path / "a.json", scheme="jsonl")


def with_gaps(path, label):
    """Writes 60 rows, of which every tenth has this label and the last has no text."""
    rows = [f"text {i},{label if i % 10 == 9 else 'ab'[i % 2]}" for i in range(60)]
    path.write_text("\n".join(["text,label", *rows, ",a"]) + "\n")
    return path


@pytest.mark.parametrize("label", ["", "nan", "NaN", "<NA>"])
def test_rows_without_a_label_or_text_are_counted_at_once(tmp_path, label):
    path = with_gaps(tmp_path / "a.csv", label)
    assert refused(path).endswith(
        "a.csv: 7 of 61 rows cannot be used: 6 without a label (line 11, 21, 31, 41, 51 and 1 more), "
        "1 with an empty text (line 62); drop_missing=true leaves such rows out: "
        "write it in the brackets after the task's name"
    )
    task = task_of(path, "[drop_missing=true]")
    assert task.output == Classes(("a", "b"))
    assert sum(task.sizes.values()) == 54
    assert task.notes == ("left out: 6 rows without a label and 1 row with an empty text",)
    assert task.notes[0] in task.description


def test_gaps_of_json(tmp_path):
    rows = [{**row, "label": float("nan") if i % 10 == 9 else i % 2} for i, row in enumerate(ROWS)]
    rows += [{"text": None, "label": 1}, {"text": "x", "label": None}]
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    message = refused(tmp_path / "a.jsonl", scheme="jsonl")
    assert "8 of 62 rows cannot be used: 7 without a label (line 10" in message
    assert "1 with an empty text (line 61)" in message
    assert task_of(tmp_path / "a.jsonl", "[drop_missing=true]", "jsonl").output == Classes(("0", "1"))


def test_gaps_of_every_split_are_counted_at_once(tmp_path):
    for split in ("train", "test"):
        with_gaps(tmp_path / f"{split}.csv", "")
    assert refused(tmp_path).count("7 of 61 rows cannot be used") == 2
    assert task_of(tmp_path, "[drop_missing=true]").sizes == {"train": 54, "test": 54}


def test_a_test_split_without_labels(tmp_path):
    for split, label in (("train", "ab"), ("valid", "ab"), ("test", ("", ""))):
        rows = "".join(f"{split} {i},{label[i % 2]}\n" for i in range(20))
        (tmp_path / f"{split}.csv").write_text(f"text,label\n{rows}")
    message = refused(tmp_path, "[drop_missing=true]")
    assert "20 of 20 rows cannot be used: 20 without a label" in message
    assert "no row is left" in message


def test_a_row_without_words(tmp_path):
    rows = [{"tokens": ["a", f"b{i}"], "tags": ["X", "Y"]} for i in range(40)] + [{"tokens": [], "tags": []}]
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    message = refused(tmp_path / "a.jsonl", scheme="jsonl")
    assert "line 41: this row has no words or no tags: complete them, or leave them out with drop_missing=" in message
    assert sum(task_of(tmp_path / "a.jsonl", "[drop_missing=true]", "jsonl").sizes.values()) == 40


def test_nul_characters_are_refused(tmp_path):
    rows = "".join(f"te\0xt {i},{'ab'[i % 2]}\n" for i in range(60))
    (tmp_path / "a.csv").write_text(f"text,label\n{rows}")
    message = refused(tmp_path / "a.csv", "[drop_missing=true]")
    assert "60 rows with a NUL character (line 2, 3, 4, 5, 6 and 55 more): the file is damaged" in message
