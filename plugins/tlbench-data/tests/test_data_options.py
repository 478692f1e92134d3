"""The options of each source of own data: those that it has are listed with a help, and all others are refused."""

from __future__ import annotations

import dataclasses

import pytest
from tlbench_data.images.idx_task import IdxImages
from tlbench_data.images.imagefolder import ImageFolder
from tlbench_data.own.hub import HubTask
from tlbench_data.own.own_task import OwnTask
from tlbench_data.parallel.parallel_task import ParallelTask
from tlbench_data.tasks.amazon import AmazonReviews
from tlbench_data.tasks.short_texts import Trec
from tlbench_data.tasks.translation import Multi30k

from tlbench import UsageError
from tlbench.catalog.names import parameter_values


@pytest.mark.parametrize(
    "task", [OwnTask, HubTask, ParallelTask, ImageFolder, IdxImages, Multi30k, AmazonReviews, Trec]
)
def test_every_option_has_one_line_of_help(task):
    for field in dataclasses.fields(task):
        if field.name != "name":
            assert field.metadata["help"]
            assert "\n" not in field.metadata["help"]


# An option, a value that is not its default, and the sources that use it.
OPTIONS = [
    ("text", "a", {"csv", "tsv", "jsonl", "parquet", "hub", "conll"}),
    ("label", "a", {"csv", "tsv", "jsonl", "parquet", "hub"}),
    ("delimiter", ";", {"csv", "tsv", "hub"}),
    ("header", False, {"csv", "tsv", "hub"}),
    ("encoding", "latin-1", {"csv", "tsv", "jsonl", "hub", "conll", "parallel"}),
    ("field", "data", {"jsonl", "hub"}),
    ("labels", "a+b", {"csv", "tsv", "jsonl", "parquet", "hub", "conll"}),
    ("map", "a:b", {"csv", "tsv", "jsonl", "parquet", "hub", "conll"}),
    ("drop_missing", True, {"csv", "tsv", "jsonl", "parquet", "hub", "conll", "parallel"}),
    ("max_length", 9, {"csv", "tsv", "jsonl", "parquet", "hub", "parallel"}),
    ("column", "1", {"conll"}),
    ("metric", "f1", {"csv", "tsv", "jsonl", "parquet", "hub", "conll", "squad", "parallel"}),
]
SOURCES = ("csv", "tsv", "jsonl", "parquet", "hub", "conll", "squad", "parallel")


@pytest.mark.parametrize(("option", "value", "sources"), OPTIONS)
@pytest.mark.parametrize("source", SOURCES)
def test_a_source_lists_the_options_that_it_uses_and_refuses_others(tmp_path, source, option, value, sources):
    for name in ("a.en", "a.de"):
        (tmp_path / name).write_text("x\n")
    classes = {"hub": HubTask, "parallel": ParallelTask}
    path = {"hub": "org/name", "parallel": f"{tmp_path}/a.en+{tmp_path}/a.de"}.get(source, f"{tmp_path}/a.en")
    task = classes.get(source, OwnTask)(f"{source}:{path}")
    listed = {parameter.name for parameter in parameter_values(task)}
    assert (option in listed) == (source in sources)
    if source in sources:
        assert getattr(dataclasses.replace(task, **{option: value}), option) == value
    else:
        with pytest.raises(UsageError, match=f"{source}: does not use {option}=; leave it out"):
            dataclasses.replace(task, **{option: value})
