"""Tasks made of your own files, named as on the command line."""

from __future__ import annotations

import csv
import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tlbench_data.plugin import tlbench_resolve

from tlbench import Classes, DataError, MultiLabel, Scalar, Span, Text, TokenClasses, UsageError
from tlbench.catalog.catalog import Catalog
from tlbench.planning.plan import plan
from tlbench.planning.selection import Selection
from tlbench.planning.suite import Suite, SuiteBlock
from tlbench.testing.conformance import TaskConformance

STARS = ("bad", "fine", "good")


@pytest.fixture(scope="module")
def catalog():
    return Catalog.discover()


def write_csv(path, rows, header=("text", "label")):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows] if header else rows)
    return path


def write_lines(path, rows):
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def reviews(tmp_path):
    rows = [(f"review {i}, it says", STARS[i % 3], f"user {i}") for i in range(60)]
    return write_csv(tmp_path / "reviews.csv", rows, ("review", "stars", "who"))


def test_one_line_is_enough(catalog, reviews):
    named = catalog.task(f"csv:{reviews}[text=review,label=stars]")
    task = named.item
    assert task.output == Classes(STARS)
    assert task.metrics[0] == "accuracy"
    assert task.sizes == {"train": 48, "validation": 6, "test": 6}
    for name in ("train", "validation", "test"):
        counts = Counter(row.target for row in task.split(name))
        assert set(counts.values()) == {len(task.split(name)) // 3}
    assert task.description == (
        "classes (inferred): review -> stars (3: bad, fine, good); 48 train, 6 validation, 6 test "
        "(drawn by seed 0, stratified by class)"
    )


def test_the_name_says_which_file_and_what_it_held(catalog, reviews, monkeypatch):
    monkeypatch.chdir(reviews.parent)
    named = catalog.task("csv:reviews.csv[label=stars,text=review]")
    assert named.ref.name.startswith("csv:reviews.csv@sha-")
    assert named.ref.name.endswith("[label=stars,text=review]")
    monkeypatch.chdir("/")
    assert Catalog.discover().task(named.ref.name).item == named.item
    with reviews.open("a") as file:
        file.write("one more,bad,me\n")
    fresh = Catalog.discover()
    assert fresh.task(f"csv:{reviews}").ref.name != named.ref.name
    with pytest.raises(UsageError, match="its digest is now"):
        fresh.task(named.ref.name)


@pytest.mark.parametrize(("column", "meant"), [("nothing", ""), ("Reviews", r"; did you mean review\?")])
def test_a_mistake_ends_the_plan_in_one_line(catalog, reviews, column, meant):
    suite = Suite((SuiteBlock(tasks=(f"csv:{reviews}[text={column}]",), strategies=("majority",)),), name="own")
    message = rf"reviews\.csv: no column '{column}'; the columns are review, stars, who{meant}$"
    with pytest.raises(DataError, match=message):
        plan(suite, catalog, Selection())


def task_of(catalog, path, scheme="csv", params=""):
    return catalog.task(f"{scheme}:{path}{params}").item


@pytest.mark.parametrize(
    ("rows", "header", "params", "message"),
    [
        (
            [("x", "a"), ("", "b")],
            None,
            "",
            r"1 with an empty text \(line 3\); drop_missing=true .*: write it in the brackets after the task's name",
        ),
        (
            [("x", "a"), ("y", "")],
            None,
            "",
            r"1 without a label \(line 3\); drop_missing=true .*: write it in the brackets after the task's name",
        ),
        ([("x", "a"), ("y", "b", "c")], None, "", r"line 3: 3 columns where 2 are expected"),
        ([("x", "1.5"), ("y", "high")], None, "[kind=scalar]", r"line 3: label is 'high', not a number"),
        (
            [(f"x{i}", str(i / 7)) for i in range(30)] + [("y", "n/a")],
            None,
            "",
            r"line 32: label is 'n/a', not a number",
        ),
        ([(f"x{i}", "a") for i in range(30)], None, "", r"every training row has the label 'a'"),
        ([("x", "a"), ("y", "b")], None, "", r"2 rows are too few to split: validation would be empty"),
        (
            [(f"x{i}", f"y{i}") for i in range(60)],
            None,
            "",
            r"60 different values in 60 rows: set kind=classes or kind=text",
        ),
        ([], None, "", r"the file has no rows"),
        (
            [("x", "a")],
            ("one", "two"),
            "",
            r"name the columns, as \[text=...,label=...\]; there are one, two",
        ),
        (
            [("1", "x", "a")],
            ("id", "note", "kind"),
            "[label=kind]",
            r"name the column of the text too, as \[text=\.\.\.,label=kind\]; there are id, note, kind",
        ),
        ([("x", "a")], None, "[text=label,label=label]", r"'label' is both the text and the label"),
        ([("x", "a")], None, "[text2=label]", r"text2=label needs text="),
    ],
)
def test_what_is_wrong_is_one_line(catalog, tmp_path, rows, header, params, message):
    task = task_of(catalog, write_csv(tmp_path / "a.csv", rows, header or ("text", "label")), params=params)
    with pytest.raises(DataError, match=message) as caught:
        task.output  # noqa: B018
    assert "a.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("[kind=nonsense]", r"choose classes, multilabel, scalar, text, tokens$"),
        ("[kind=clases]", r"choose classes, .*, tokens; did you mean classes\?$"),
        ("[metric=Acuracy]", r"choose accuracy, .*; did you mean accuracy\?$"),
        ("[metric=nonsense]", "choose accuracy"),
        ("[colour=red]", "no parameter 'colour'"),
        ("[seed=x]", "seed"),
        ("[seed=-1]", "seed=-1: a seed must be at least 0"),
        ("[separator=]", "separator= is empty"),
        ("[max_length=0]", "max_length=0: must be at least 1"),
        ("[positive_class=bad]", "positive_class= needs metric=f1, precision, recall"),
        ("[test=gone.csv]", "no such file or folder"),
    ],
)
def test_parameters_that_cannot_be(catalog, reviews, params, message):
    with pytest.raises(UsageError, match=message):
        catalog.task(f"csv:{reviews}{params}")


def test_parameters_that_mean_nothing_to_a_format(catalog, tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [{"text": "x", "label": "a"}])
    with pytest.raises(UsageError, match="jsonl: does not use quotes="):
        catalog.task(f"jsonl:{path}[quotes=false]")


@pytest.mark.parametrize("name", ["csv:gone.csv", "parquet:gone", "csv:"])
def test_files_that_are_not_there(catalog, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no such file or folder"):
        catalog.task(name)


def labelled(values):
    return [(f"text {i}", value) for i, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "output"),
    [
        (["no", "yes"] * 20, Classes(("no", "yes"))),
        (["10", "9", "2"] * 20, Classes(("2", "9", "10"))),
        ([str(i / 2) for i in range(40)], Scalar()),
        ([str(i % 25) for i in range(50)], Classes(tuple(map(str, range(25))))),
        (["1.0", "2.5"] * 20, Scalar()),
        (["1.0", "2.0"] * 20, Classes(("1.0", "2.0"))),
    ],
)
def test_the_kind_is_inferred(catalog, tmp_path, values, output):
    assert task_of(catalog, write_csv(tmp_path / "a.csv", labelled(values))).output == output


def test_the_kind_can_be_set(catalog, tmp_path):
    path = write_csv(tmp_path / "a.csv", labelled(["1", "2", "3"] * 10))
    assert task_of(catalog, path).output == Classes(("1", "2", "3"))
    scalar = task_of(catalog, path, params="[kind=scalar]")
    assert (scalar.output, scalar.metrics) == (Scalar(), ("pearson", "spearman"))
    text = task_of(catalog, path, params="[kind=text,max_length=9,metric=bleu]")
    assert (text.output, text.metrics) == (Text(9), ("bleu", "rougeL", "chrf"))
    assert text.split("test")[0].target in {("1",), ("2",), ("3",)}


@pytest.mark.parametrize(
    ("params", "positive", "ending"),
    [
        ("[metric=f1]", 1, "; f1 of 'legit'"),
        ("[metric=recall,positive_class=fraud]", 0, "; recall of 'fraud'"),
        ("[metric=matthews]", 1, "stratified by class)"),
    ],
)
def test_the_class_that_is_positive_is_described(catalog, tmp_path, params, positive, ending):
    named = catalog.task(f"csv:{write_csv(tmp_path / 'a.csv', labelled(['fraud', 'legit'] * 20))}{params}")
    assert named.item.positive == positive
    assert named.item.description.endswith(ending)
    assert named.ref.name.endswith(params)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("[metric=f1]", "f1 is of one class, but there are 3: set metric=f1_macro or positive_class="),
        ("[metric=f1,positive_class=6]", "positive_class=6: choose 1, 2, 3"),
    ],
)
def test_a_class_that_has_to_be_named(catalog, tmp_path, params, message):
    path = write_csv(tmp_path / "a.csv", labelled(["1", "2", "3"] * 10))
    with pytest.raises(DataError, match=message):
        task_of(catalog, path, params=params).output  # noqa: B018
    assert task_of(catalog, path, params="[metric=f1,positive_class=3]").positive == 2


def test_half_a_character_in_a_label(catalog, tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [{"text": f"t{i}", "label": "ab\ud83d"[i % 3]} for i in range(30)])
    for params in ("", "[kind=multilabel]"):
        with pytest.raises(DataError, match=r"a\.jsonl, line 3: label contains an unpaired surrogate \(\\ud83d\)"):
            task_of(catalog, path, "jsonl", params).output  # noqa: B018


def test_pairs(catalog, tmp_path):
    rows = [(f"a{i}", f"b{i}", i % 2) for i in range(30)]
    usual = task_of(catalog, write_csv(tmp_path / "a.csv", rows, ("sentence1", "sentence2", "label")))
    assert {len(row.inputs) for row in usual.split("train")} == {2}
    given = task_of(catalog, write_csv(tmp_path / "b.csv", rows, ("x", "y", "z")), params="[text=y,text2=x,label=z]")
    assert given.split("train")[0].inputs == ("b0", "a0")


def test_several_labels(catalog, tmp_path):
    held = [["red", "blue"], [], ["blue"]] * 10
    task = task_of(
        catalog, write_lines(tmp_path / "a.jsonl", [{"text": f"t{i}", "tags": v} for i, v in enumerate(held)]), "jsonl"
    )
    assert task.output == MultiLabel(("blue", "red"))
    targets = {row.inputs[0]: row.target for row in task.split("train")}
    assert set(targets.values()) <= {(1, 1), (0, 0), (1, 0)}
    cells = write_csv(tmp_path / "b.csv", labelled(["red|blue", "", "blue"] * 10))
    assert task_of(catalog, cells, params="[kind=multilabel,separator=|]").output == task.output


def test_tags_for_words(catalog, tmp_path):
    sentences = "".join(f"Ada{i} B-person\nLovelace I-person\nslept{i} O\n\n" for i in range(20))
    (tmp_path / "a.conll").write_text(sentences)
    task = task_of(catalog, tmp_path / "a.conll", "conll")
    assert task.output == TokenClasses(("O", "B-person", "I-person"))
    assert task.metrics[0] == "entity_f1"
    assert task.split("train")[0].target == (1, 2, 0)
    rows = [{"words": ["a", f"b{i}"], "tags": ["DET", "NOUN"]} for i in range(20)]
    plain = task_of(catalog, write_lines(tmp_path / "a.jsonl", rows), "jsonl")
    assert (plain.output, plain.metrics) == (TokenClasses(("DET", "NOUN")), ("accuracy",))
    with pytest.raises(DataError, match=r"b\.jsonl, line 1: 1 tags for 2 words"):
        task_of(catalog, write_lines(tmp_path / "b.jsonl", [{"words": ["a", "b"], "tags": ["X"]}]), "jsonl").output  # noqa: B018


def test_questions(catalog, tmp_path):
    def paragraph(i):
        answers = [{"text": f"here{i}", "answer_start": 6}]
        qas = [{"id": f"{i}-{j}", "question": f"Where {j}?", "answers": answers} for j in range(2)]
        return {"context": f"It is here{i}.", "qas": qas}

    whole = {"data": [{"title": "T", "paragraphs": [paragraph(i) for i in range(20)]}]}
    (tmp_path / "a.json").write_text(json.dumps(whole))
    task = task_of(catalog, tmp_path / "a.json", "squad")
    assert task.output == Span()
    contexts = [{row.inputs[1] for row in task.split(name)} for name in ("train", "validation", "test")]
    assert sum(map(len, contexts)) == 20


def test_a_list_of_json_and_parquet_say_the_same(catalog, tmp_path):
    rows = [{"text": f"t{i}", "label": bool(i % 2)} for i in range(30)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    tasks = task_of(catalog, tmp_path / "a.json", "jsonl"), task_of(catalog, tmp_path / "a.parquet", "parquet")
    assert tasks[0].output == tasks[1].output == Classes(("false", "true"))
    assert tasks[0].split("test").fingerprint == tasks[1].split("test").fingerprint


def test_without_a_header_and_with_bare_quotes(catalog, tmp_path):
    (tmp_path / "a.tsv").write_text("".join(f'"half {i}\t{"ab"[i % 2]}\n' for i in range(30)))
    task = task_of(catalog, tmp_path / "a.tsv", "tsv", "[header=false,text=0,label=1]")
    assert all(row.inputs[0].startswith('"half') for row in task.split("train"))


class TestOwnTask(TaskConformance):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _written(cls, tmp_path_factory):
        path = tmp_path_factory.mktemp("own") / "a.csv"
        write_csv(path, labelled(["no", "yes"] * 20))
        cls.task = Catalog.discover().task(f"csv:{path}").item
        cls.sizes = {"train": 32, "validation": 4, "test": 4}


def test_other_names_are_left_to_other_plugins():
    assert tlbench_resolve("task", "elsewhere:x") is None
    assert tlbench_resolve("task", "trec") is None
    assert tlbench_resolve("backbone", "csv:x") is None
