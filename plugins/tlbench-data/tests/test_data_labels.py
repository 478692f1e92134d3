"""What the values of a label column are read as: one class in several spellings, a number, or a mistake."""

from __future__ import annotations

import csv
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tlbench_data.columns.label_values import class_key, is_missing, looks_like, mixed, number_of, text_of

from tlbench import Classes, DataError, MultiLabel, Scalar, UsageError
from tlbench.catalog.catalog import Catalog


def table(path, labels, label="label"):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", label), *((f"text {i}", value) for i, value in enumerate(labels))])
    return path


def lines(path, labels, label="label"):
    rows = ({"text": f"text {i}", label: value} for i, value in enumerate(labels))
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def task_of(path, params="", scheme="csv"):
    return Catalog.discover().task(f"{scheme}:{path}{params}").item


def refused(path, params="", scheme="csv"):
    with pytest.raises(DataError) as caught:
        task_of(path, params, scheme).output  # noqa: B018
    assert "\n" not in str(caught.value)
    return str(caught.value)


def targets_of(task):
    return {row.inputs[0]: row.target for split in task.sizes for row in task.split(split)}


@pytest.mark.parametrize(
    ("value", "text", "number", "missing"),
    [
        (3, "3", 3.0, False),
        (0.5, "0.5", 0.5, False),
        (True, "true", None, False),
        (" good ", "good", None, False),
        (" 1.50", "1.50", 1.5, False),
        (Decimal("3.70"), "3.70", 3.7, False),
        (Decimal("NaN"), "NaN", None, True),
        (None, "None", None, True),
        (float("nan"), "nan", None, True),
        (float("inf"), "inf", None, False),
        ("NaN", "NaN", None, True),
        ("  ", "", None, True),
        (["a"], "['a']", None, False),
        ({"a": 1}, "{'a': 1}", None, False),
    ],
)
def test_a_value_as_text_and_number(value, text, number, missing):
    assert (text_of(value), number_of(value), is_missing(value)) == (text, number, missing)


def test_a_class_in_several_spellings():
    assert class_key("1.00") == class_key("1") == "1"
    assert class_key("-0.0") == "0"
    assert len({class_key(text) for text in ("1", "01", "1.5", "1e0", "+1")}) == 5


@pytest.mark.parametrize(
    ("values", "pair"),
    [
        ([1, 2.0, Decimal(3), "4"], None),
        ([True, "false"], None),
        (["good", "1"], None),
        ([1, "good"], (0, 1)),
        (["good", True], (1, 0)),
        ([1, 2, True], (0, 2)),
        ([0, "true"], (0, 1)),
    ],
)
def test_types_that_do_not_go_together(values, pair):
    assert mixed(values) == pair


def test_what_is_no_label():
    assert looks_like({"text": ["a"], "answer_start": [0]}).endswith("squad: reads those, in SQuAD's JSON")
    assert "jsonl:" in looks_like([{"start": 0, "end": 4, "label": "PER"}])
    assert "list of lists" in looks_like([["a"], ["b"]])
    assert looks_like(b"neg").startswith("raw bytes")
    assert not any(map(looks_like, ["a", 1, None, [], ["a", 1], [None]]))


def test_whole_numbers_with_and_without_a_point_are_one_class(tmp_path):
    path = table(tmp_path / "a.csv", ["0", "1", "0.0", "1.0", "0", "1"] * 10)
    task = task_of(path)
    assert task.output == Classes(("0", "1"))
    assert "read as one class: ('0', '0.0'), ('1', '1.0')" in task.notes
    assert targets_of(task)["text 2"] == targets_of(task)["text 0"] == 0


def test_train_has_points_and_test_has_none(tmp_path):
    table(tmp_path / "train.csv", ["0.0", "1.0"] * 20)
    table(tmp_path / "test.csv", ["0", "1"] * 10)
    task = task_of(tmp_path)
    assert task.output == Classes(("0.0", "1.0"))
    assert [row.target for row in task.split("test")] == [0, 1] * 10


def test_numbers_beside_words_are_refused_with_rows(tmp_path):
    message = refused(lines(tmp_path / "a.jsonl", [1, 2, "good"] * 10), scheme="jsonl")
    assert message.endswith("label is 1 (line 1) and 'good' (line 3): write all labels as texts, or all as numbers")


LOOK_ALIKES = [
    form.format(label)
    for form in ("{}", "{} ", "\u00a0{}", "{}\u200b")
    for label in ("neg", "pos", *(("NEG", "POS", "Neg", "Pos") if form == "{}" else ()))
]


def test_labels_that_look_alike(tmp_path):
    path = table(tmp_path / "a.csv", LOOK_ALIKES * 5)
    task = task_of(path)
    assert len(task.output.names) == 8
    warning = (
        r"labels that look alike: ('NEG', 'Neg', 'neg', 'neg\u200b'), ('POS', 'Pos', 'pos', 'pos\u200b'); "
        "normalize=true joins them"
    )
    assert task.notes == (warning,)
    assert warning in task.description
    joined = task_of(path, "[normalize=true]")
    assert joined.output == Classes(("neg", "pos"))
    assert "look alike" not in joined.description
    assert set(targets_of(joined).values()) == {0, 1}


def test_a_label_of_the_test_that_looks_like_one_of_train(tmp_path):
    table(tmp_path / "train.csv", ["caf\u00e9", "bar"] * 20)
    table(tmp_path / "test.csv", ["cafe\u0301", "bar"] * 5)
    assert r"but 'caf\xe9' looks alike: normalize=true joins them" in refused(tmp_path)
    assert task_of(tmp_path, "[normalize=true]").split("test")[0].target == 1


@pytest.mark.parametrize(
    ("values", "output"),
    [
        ([i % 23 for i in range(230)], Classes(tuple(map(str, range(23))))),
        ([f"{i % 25}.0" for i in range(400)], Classes(tuple(f"{i}.0" for i in range(25)))),
        ([i % 23 + 0.5 for i in range(230)], Scalar()),
    ],
)
def test_many_whole_numbers_are_classes_if_they_are_dense_and_repeated(tmp_path, values, output):
    task = task_of(table(tmp_path / "a.csv", values))
    assert task.output == output
    if isinstance(output, Classes):
        assert f"the whole numbers 0 to {len(output.names) - 1}, each several times" in task.description


@pytest.mark.parametrize(
    ("values", "span"),
    [(range(40), "40 different whole numbers from 0 to 39"), ([i % 30 * 2 for i in range(90)], "30")],
)
def test_other_whole_numbers_have_to_be_explained(tmp_path, values, span):
    path = table(tmp_path / "a.csv", values)
    message = refused(path)
    assert span in message
    assert message.endswith("set kind=classes or kind=scalar")
    assert task_of(path, "[kind=scalar]").output == Scalar()


def test_decimal_commas(tmp_path):
    path = table(tmp_path / "a.csv", [f"{i},{i % 7}" for i in range(60)])
    found = task_of(path)
    assert found.output == Scalar()
    assert "inferred: numbers with a decimal comma" in found.description
    assert targets_of(found)["text 9"] == 9.2
    given = Catalog.discover().task(f'csv:{path}[decimal=","]')
    assert given.ref.name.endswith('[decimal=","]')
    assert given.item.split("test").fingerprint == found.split("test").fingerprint
    # Only if all values have that shape.
    mixed_file = table(tmp_path / "b.csv", ["x", *(f"{i},5" for i in range(59))])
    assert refused(mixed_file).endswith("60 different values in 60 rows: set kind=classes or kind=text")


def test_commas_that_may_separate_thousands(tmp_path):
    path = table(tmp_path / "a.csv", [f"{i},200" for i in range(1, 61)])
    assert "'1,200' may be 1.200 or 1200: set decimal=\",\"" in refused(path)
    assert targets_of(task_of(path, '[decimal=","]'))["text 0"] == 1.2


@pytest.mark.parametrize("decimal", [";", ",,"])
def test_a_decimal_mark_that_cannot_be(tmp_path, decimal):
    with pytest.raises(UsageError, match="decimal="):
        task_of(table(tmp_path / "a.csv", ["a", "b"] * 20), f'[decimal="{decimal}"]')


def test_decimals_of_parquet_are_numbers(tmp_path):
    values = [Decimal(i).scaleb(-1) for i in range(60)]
    pq.write_table(pa.table({"text": [f"text {i}" for i in range(60)], "label": values}), tmp_path / "a.parquet")
    task = task_of(tmp_path / "a.parquet", scheme="parquet")
    assert task.output == Scalar()
    assert targets_of(task)["text 37"] == 3.7


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"name": "neg", "id": 0},
            "an object with the fields name, id: name one of them after a point, as COLUMN.name",
        ),
        ([{"name": "neg", "id": 0}], "an object with the fields name, id: write a list of texts"),
        ([[0, 10, "PER"]], "looks like a stretch of the text: tags are read for words, so split the text"),
    ],
)
def test_nested_labels(tmp_path, value, message):
    assert message in refused(lines(tmp_path / "a.jsonl", [value] * 20), scheme="jsonl")


def test_a_class_that_only_validation_has(tmp_path):
    table(tmp_path / "train.csv", ["neg", "pos"] * 20)
    table(tmp_path / "validation.csv", ["neg", "pos"] * 5 + ["neutral"])
    table(tmp_path / "test.csv", ["neg", "pos"] * 5)
    message = refused(tmp_path)
    assert "validation.csv, line 12: label is 'neutral', which no training row has" in message
    assert "[labels=neg+neutral+pos] declares all classes" in message
    task = task_of(tmp_path, "[labels=neg+neutral+pos]")
    assert task.output == Classes(("neg", "neutral", "pos"))
    assert task.split("validation")[10].target == 1
    assert "label is 'pos' (and neutral), which labels= does not name" in refused(tmp_path, "[labels=neg+other]")
    with pytest.raises(UsageError, match="labels= has an empty or repeated name"):
        task_of(tmp_path, "[labels=neg+neg]")


def test_declared_classes_need_no_kind(tmp_path):
    names = [f"class {i}" for i in range(70)]
    path = table(tmp_path / "a.csv", [*names, *names[:20]])
    assert "set kind=classes or kind=text" in refused(path)
    assert task_of(path, f"[labels={'+'.join(names)}]").output == Classes(tuple(names))


def test_a_class_that_may_mark_a_missing_label(tmp_path):
    task = task_of(table(tmp_path / "a.csv", ["yes", "no", "NA"] * 20))
    assert task.notes == ("'NA' is a class; leave the cell empty if it marks a missing label",)


def test_a_missing_label_among_several(tmp_path):
    path = lines(tmp_path / "a.jsonl", [["a"], ["b", None]] * 20)
    assert refused(path, scheme="jsonl").endswith("line 2: label is ['b', None], in which a label is missing")


def test_texts_with_two_labels_are_counted(tmp_path):
    rows = [(f"text {i // 2}", ("neg", "pos")[i % 2 if i < 12 else i // 2 % 2]) for i in range(60)]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    assert task_of(tmp_path / "a.csv").notes == ("6 texts have different labels in different rows",)


def classes_file(path, names, labels):
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": names, "_type": "ClassLabel"}}
    written = pa.table({"text": [f"text {i}" for i in range(len(labels))], "label": labels})
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(written.replace_schema_metadata(metadata), path)
    return path


def test_the_positive_class_is_the_second_of_the_file(tmp_path):
    path = classes_file(tmp_path / "a.parquet", ["unacceptable", "acceptable"], [0, 1] * 30)
    task = task_of(path, "[metric=f1]", "parquet")
    assert task.output == Classes(("acceptable", "unacceptable"))
    assert task.output.names[task.positive] == "acceptable"
    assert task.description.endswith("; f1 of 'acceptable'")
    other = task_of(path, "[metric=f1,positive_class=unacceptable]", "parquet")
    assert other.output.names[other.positive] == "unacceptable"


def test_minus_one_is_no_label_where_classes_have_indices(tmp_path):
    path = classes_file(tmp_path / "a.parquet", ["no", "yes"], [0, 1] * 30 + [-1])
    assert "1 of 61 rows cannot be used: 1 without a label (row 61)" in refused(path, scheme="parquet")
    assert sum(task_of(path, "[drop_missing=true]", "parquet").sizes.values()) == 60


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("[separator=;]", "separator= is for kind=multilabel, and this is kind=classes; delimiter= separates columns"),
        ("[decimal=.]", "decimal= is for kind=scalar, and this is kind=classes"),
        ("[kind=text,normalize=true]", "normalize= is for kind=classes or multilabel, and this is kind=text"),
        ("[kind=text,labels=a+b]", "labels= is for kind=classes, multilabel or tokens, and this is kind=text"),
        ("[names=a+b]", "names= is for lists of 0 and 1, which label does not hold"),
    ],
)
def test_options_without_effect_are_refused(tmp_path, params, message):
    assert refused(table(tmp_path / "a.csv", ["a", "b"] * 20), params).endswith(message)


def test_a_separator_that_the_labels_have_asks_for_several_labels(tmp_path):
    path = table(tmp_path / "a.csv", ["a;b", "b", "a"] * 20)
    assert "'a;b' is one class; kind=multilabel,separator=; reads it as several labels" in task_of(path).notes
    task = task_of(path, "[separator=;]")
    assert task.output == MultiLabel(("a", "b"))
    assert "a cell has labels separated by ';'" in task.description
    named = Catalog.discover().task(f"csv:{path}[kind=multilabel,separator=;]")
    assert named.ref.name.endswith("[kind=multilabel]")
