"""Several labels of a row, written as zeros and ones: in a list, in a cell that spells a list, or in columns."""

from __future__ import annotations

import csv
import json

import pytest

from tlbench import Classes, DataError, MultiLabel
from tlbench.catalog.catalog import Catalog

VECTORS = [(0, 0, 1), (1, 0, 0), (0, 0, 0), (1, 1, 1)] * 15


def table(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
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


def lists(path, vectors, label="labels"):
    path.write_text("".join(f"{json.dumps({'text': f't{i}', label: v})}\n" for i, v in enumerate(vectors)))
    return path


def test_a_list_with_a_place_for_each_label(tmp_path):
    path = lists(tmp_path / "a.jsonl", VECTORS)
    task = task_of(path, scheme="jsonl")
    assert task.output == MultiLabel(("labels_0", "labels_1", "labels_2"))
    assert "lists of 0 and 1 with a place for each of 3 labels" in task.description
    assert [targets_of(task)[f"t{i}"] for i in range(4)] == VECTORS[:4]
    named = task_of(path, "[names=toxic+threat+insult]", "jsonl")
    assert named.output == MultiLabel(("toxic", "threat", "insult"))
    assert "labels= is for names in labels, which holds zeros and ones" in refused(path, "[labels=a+b+c]", "jsonl")
    assert "names= has 2 names for the 3 places" in refused(path, "[names=a+b]", "jsonl")


def test_a_list_of_another_length_in_the_test(tmp_path):
    lists(tmp_path / "train.jsonl", VECTORS)
    lists(tmp_path / "test.jsonl", [*VECTORS[:5], (1, 0)])
    assert "test.jsonl, line 6: labels is [1, 0], not a list of 3 zeros and ones" in refused(tmp_path, scheme="jsonl")


def test_lists_of_names_stay_names(tmp_path):
    path = lists(tmp_path / "a.jsonl", [["1", "0"], ["0"], []] * 20)
    assert task_of(path, scheme="jsonl").output == MultiLabel(("0", "1"))


@pytest.mark.parametrize("written", [json.dumps, repr])
def test_cells_that_spell_a_list(tmp_path, written):
    vectors = table(
        tmp_path / "a.csv", ("text", "labels"), [(f"t{i}", written(list(v))) for i, v in enumerate(VECTORS)]
    )
    task = task_of(vectors)
    assert task.output == MultiLabel(("labels_0", "labels_1", "labels_2"))
    assert [targets_of(task)[f"t{i}"] for i in range(4)] == VECTORS[:4]
    names = table(tmp_path / "b.csv", ("text", "labels"), [(f"t{i}", written(["b", "a"][: i % 3])) for i in range(60)])
    assert task_of(names).output == MultiLabel(("a", "b"))


def test_cells_in_brackets_that_are_no_list(tmp_path):
    path = table(tmp_path / "a.csv", ("text", "labels"), [(f"t{i}", ("[0 1]", "[1 1]")[i % 2]) for i in range(60)])
    assert "line 2: labels is '[0 1]', which looks like a list but is none; kind=classes" in refused(path)
    assert task_of(path, "[kind=classes]").output == Classes(("[0 1]", "[1 1]"))


HEADER = ("id", "text", "toxic", "threat", "insult")


def test_a_column_for_each_label(tmp_path):
    path = table(tmp_path / "a.csv", HEADER, [(i, f"t{i}", *v) for i, v in enumerate(VECTORS)])
    task = task_of(path)
    assert task.output == MultiLabel(("toxic", "threat", "insult"))
    assert "a label for each of the columns toxic, threat, insult" in task.notes
    assert [targets_of(task)[f"t{i}"] for i in range(4)] == VECTORS[:4]
    named = Catalog.discover().task(f"csv:{path}[label=insult+toxic]")
    assert named.ref.name.endswith("[label=insult+toxic]")
    assert named.item.output == MultiLabel(("insult", "toxic"))
    assert [targets_of(named.item)[f"t{i}"] for i in range(4)] == [(1, 0), (0, 1), (0, 0), (1, 1)]


def test_a_column_of_labels_that_is_not_of_zeros_and_ones(tmp_path):
    path = table(tmp_path / "a.csv", HEADER, [(i, f"t{i}", 0, 1, 2) for i in range(60)])
    assert "line 2: insult is '2', not 0 or 1" in refused(path, "[label=toxic+insult]")


def test_a_column_with_a_plus_in_its_name_is_one_column(tmp_path):
    path = table(tmp_path / "a.csv", ("text", "a+b", "a", "b"), [(f"t{i}", "xy"[i % 2], 0, 1) for i in range(60)])
    assert task_of(path, "[label=a+b]").output == Classes(("x", "y"))


def test_one_label_in_each_row_may_be_one_class(tmp_path):
    rows = [(i, f"t{i}", *(int(i % 3 == place) for place in range(3))) for i in range(60)]
    path = table(tmp_path / "a.csv", HEADER, rows)
    assert "exactly one of the labels toxic, threat, insult: set kind=classes for one class a row, or" in refused(path)
    task = task_of(path, "[kind=classes]")
    assert task.output == Classes(("toxic", "threat", "insult"))
    assert [targets_of(task)[f"t{i}"] for i in range(3)] == [0, 1, 2]
    assert task_of(path, "[kind=multilabel]").output == MultiLabel(("toxic", "threat", "insult"))
    some = table(tmp_path / "b.csv", HEADER, [*rows, (60, "t60", 0, 0, 0)])
    assert "0 of the labels toxic, threat, insult are 1, where kind=classes has one" in refused(some, "[kind=classes]")


def test_another_kind_takes_no_zeros_and_ones_for_labels(tmp_path):
    path = table(tmp_path / "a.csv", HEADER, [(i, f"t{i}", *v) for i, v in enumerate(VECTORS)])
    assert "name the column of the label too, as [text=text,label=...]; there are id," in refused(path, "[kind=scalar]")
    assert "[0, 0, 1], not a list of texts" in refused(lists(tmp_path / "a.jsonl", VECTORS), "[kind=text]", "jsonl")
