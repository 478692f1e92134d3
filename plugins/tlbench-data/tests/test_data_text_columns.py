"""Which columns are the text: several joined into one, pairs by their usual names, and readings that must be chosen."""

from __future__ import annotations

import csv
import json

import pytest

from tlbench import Classes, DataError
from tlbench.catalog.catalog import Catalog


@pytest.fixture(scope="module")
def catalog():
    return Catalog.discover()


def table(tmp_path, header, rows=None):
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / "a.csv"
    rows = rows or [(*(f"{name} {i}" for name in header[:-1]), ("no", "yes")[i % 2]) for i in range(40)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_columns_are_joined_by_a_line_end_in_the_order_given(catalog, tmp_path):
    path = table(tmp_path, ("body", "title", "by", "y"))
    named = catalog.task(f"csv:{path}[text=title+body,label=y]")
    number = named.item.split("train")[0].inputs[0].split()[-1]
    assert named.item.split("train")[0].inputs == (f"title {number}\nbody {number}",)
    assert named.item.description.startswith("classes (inferred): title+body -> y ")
    assert "title+body: title and body joined by a line end" in named.item.description
    assert named.ref.name.endswith("[label=y,text=title+body]")
    pair = catalog.task(f"csv:{path}[text=by,text2=title+body,label=y]").item
    assert pair.split("train")[0].inputs == (f"by {number}", f"title {number}\nbody {number}")


def test_empty_cells_of_joined_columns(catalog, tmp_path):
    rows = [("", f"b{i}", ("no", "yes")[i % 2]) for i in range(40)]
    task = catalog.task(f"csv:{table(tmp_path, ('title', 'body', 'y'), rows)}[text=title+body]").item
    assert task.split("train")[0].inputs[0].startswith("b")
    # The label is the only column left, since the parts of the text cannot be it.
    assert task.output == Classes(("no", "yes"))
    path = table(tmp_path / "incomplete", ("title", "body", "y"), [*rows, ("", " ", "no")])
    with pytest.raises(DataError, match=r"1 with an empty text \(line 42\)"):
        catalog.task(f"csv:{path}[text=title+body]").item.output  # noqa: B018


@pytest.mark.parametrize(
    ("header", "params", "inputs"),
    [
        (("a+b", "y"), "", "a+b"),
        (("a+b", "c", "y"), "[text=a+b,label=y]", "a+b"),
        (("a+b", "a", "b", "y"), r"[text=a\+b,label=y]", "a+b"),
        (("x", "y+z", "n+o"), r"[text=x,label=n\+o]", "x"),
    ],
)
def test_a_column_whose_name_has_a_plus(catalog, tmp_path, header, params, inputs):
    named = catalog.task(f"csv:{table(tmp_path, header)}{params or '[text=a+b]'}")
    assert named.item.split("train")[0].inputs[0].startswith(inputs)
    assert Catalog.discover().task(named.ref.name).item == named.item


@pytest.mark.parametrize(
    ("header", "params", "message"),
    [
        (("a+b", "a", "b", "y"), "[text=a+b,label=y]", r"a\+b is a column, and a and b are columns too: a\\\+b is"),
        (("a", "b", "y"), "[text=a+a,label=y]", r"text=a\+a names one column twice"),
        (("a", "b", "y"), "[text=a+c,label=y]", r"no column 'c'; the columns are a, b, y"),
        (
            ("sentence1", "sentence2", "label"),
            "[text=sentence1]",
            r"sentence1 may be the only text, or one of the pair sentence1 and sentence2: set "
            r"\[text=sentence1,text2=none\] or \[text=sentence1,text2=sentence2\]",
        ),
        (("title", "body", "label"), "[text=body]", r"\[text=body,text2=none\] or \[text=title,text2=body\]"),
        (
            ("s1", "s2", "premise", "hypothesis", "label"),
            "",
            r"s1 and s2 may be the pair of texts, or premise and hypothesis: set "
            r"\[text=s1,text2=s2\] or \[text=premise,text2=hypothesis\]",
        ),
    ],
)
def test_two_readings_are_named(catalog, tmp_path, header, params, message):
    with pytest.raises(DataError, match=message):
        catalog.task(f"csv:{table(tmp_path, header)}{params}").item.output  # noqa: B018


@pytest.mark.parametrize(
    "pair",
    [
        ("sentence_A", "sentence_B"),
        ("Sentence1", "Sentence2"),
        ("question", "sentence"),
        ("question1", "question2"),
        ("premise", "hypothesis"),
        ("title", "body"),
        ("s1", "s2"),
        ("text_a", "text_b"),
        ("query", "passage"),
    ],
)
def test_pairs_under_their_usual_names(catalog, tmp_path, pair):
    path = table(tmp_path, ("id", *pair, "label"))
    assert [text.split()[0] for text in catalog.task(f"csv:{path}").item.split("train")[0].inputs] == list(pair)
    alone = catalog.task(f"csv:{path}[text={pair[1]},text2=none]").item
    assert [text.split()[0] for text in alone.split("train")[0].inputs] == [pair[1]]


def write_objects(tmp_path, number=30):
    path = tmp_path / "a.jsonl"
    rows = [{"id": i, "translation": {"en": f"word {i}", "de": f"Wort {i}"}} for i in range(number)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_fields_of_an_object_are_columns(catalog, tmp_path):
    named = catalog.task(f"jsonl:{write_objects(tmp_path)}[text=translation.en,label=translation.de,kind=text]")
    row = named.item.split("test")[0]
    assert row.target == (row.inputs[0].replace("word", "Wort"),)
    assert Catalog.discover().task(named.ref.name).item == named.item
    joined = catalog.task(f"jsonl:{tmp_path / 'a.jsonl'}[text=translation.en+translation.de,label=id,kind=scalar]").item
    assert joined.split("test")[0].inputs[0].startswith("word ")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("", r"name the columns, as .*; there are id, translation\.en, translation\.de"),
        ("[text=translation.fr,label=id]", "30 of 30 rows cannot be used: 30 with an empty text"),
        ("[text=id,label=translation]", r"looks like an object with the fields en, de: name one .* as COLUMN\.en"),
    ],
)
def test_fields_that_are_not_columns(catalog, tmp_path, params, message):
    with pytest.raises(DataError, match=message):
        catalog.task(f"jsonl:{write_objects(tmp_path)}{params}").item.output  # noqa: B018


def test_questions_name_the_source_that_reads_them(catalog, tmp_path):
    path = table(tmp_path, ("id", "question", "context", "answers"))
    with pytest.raises(DataError, match="this looks like questions on contexts, as in SQuAD: squad: reads those"):
        catalog.task(f"csv:{path}").item.output  # noqa: B018


def test_one_of_two_columns_is_no_pair(catalog, tmp_path):
    task = catalog.task(f"csv:{table(tmp_path, ('title', 'body'))}[text=title]").item
    assert task.output == Classes(("no", "yes"))
