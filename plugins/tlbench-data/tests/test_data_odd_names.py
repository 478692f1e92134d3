"""Files and columns whose names hold commas, brackets and other marks: they are named in quotation marks."""

from __future__ import annotations

import csv

import pytest

from tlbench import Classes, UsageError
from tlbench.catalog.catalog import Catalog


def write(path, header=("text", "label")):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *((f"text {i}", ("neg", "pos")[i % 2]) for i in range(60))])
    return path


@pytest.mark.parametrize(
    "file", ["reviews[1].csv", "reviews (1).csv", "a=b.csv", "a@b.csv", "x,y.csv", "réviéws 😀.csv", 'say "so".csv']
)
def test_a_file_of_any_name(tmp_path, file):
    path = write(tmp_path / file)
    in_quotes = str(path).replace('"', '""')
    named = Catalog.discover().task(f'csv:"{in_quotes}"[seed=1]')
    assert named.item.output == Classes(("neg", "pos"))
    again = Catalog.discover().task(named.ref.name)
    assert (again.item, again.ref) == (named.item, named.ref)


@pytest.mark.parametrize(
    ("header", "params"),
    [
        (("Review Text", "Label [0/1]"), '[label="Label [0/1]",text=Review Text]'),
        (("Review, full", "Y"), '[label=Y,text="Review, full"]'),
    ],
)
def test_columns_of_any_name(tmp_path, header, params):
    named = Catalog.discover().task(f"csv:{write(tmp_path / 'a.csv', header)}{params}")
    assert named.item.sizes == {"train": 48, "validation": 6, "test": 6}
    assert named.ref.name.endswith(params)
    assert Catalog.discover().task(named.ref.name).item == named.item


def test_labels_that_are_joined_by_commas(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f'text {i},"{("a,b", "b", "a")[i % 3]}"\n' for i in range(60)))
    named = Catalog.discover().task(f'csv:{path}[kind=multilabel,separator=","]')
    assert named.item.output.names == ("a", "b")
    assert named.ref.name.endswith('[kind=multilabel,separator=","]')


def test_brackets_without_quotation_marks_are_explained(tmp_path):
    with pytest.raises(UsageError, match=r'quote what holds brackets or commas, as csv:"a\[1\].csv"'):
        Catalog.discover().task(f"csv:{write(tmp_path / 'reviews[1].csv')}")


def test_the_command_that_fetches_a_hub_data_set_is_quoted_too(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    task = Catalog.discover().task('hub:org/data[text="a,b"]').item
    assert """`tlbench fetch --task 'hub:org/data[text="a,b"]'`""" in task.missing()
