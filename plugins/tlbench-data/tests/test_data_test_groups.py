"""Groups of test examples: what published tasks set, and the documents of CoNLL files."""

from __future__ import annotations

import json

import pytest
from tlbench_data.tasks.amazon import AmazonReviews
from tlbench_data.tasks.published_files import fixed
from tlbench_data.tasks.reading_comprehension import SquadDevParts
from tlbench_data.tasks.shared_texts import grouped_by_text

from tlbench import DataError, Example, Examples
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.data_roots import DATA_VARIABLE


def test_pairs_that_share_a_text_are_one_group():
    texts = [("a", "b"), ("c", "d"), ("e", "a"), ("f", "g"), ("b", "h"), ("d", "i")]
    examples = grouped_by_text(Examples(Example(str(i), pair) for i, pair in enumerate(texts)))
    assert [example.group for example in examples] == ["0", "1", "0", "", "0", "1"]
    assert [example.inputs for example in examples] == texts


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    return tmp_path


def article(title, count):
    questions = [{"id": f"{title}-{i}", "question": "Where?", "answers": [{"text": "Here", "answer_start": 0}]}
                 for i in range(count)]  # fmt: skip
    return {"title": title, "paragraphs": [{"context": f"Here. {title}", "qas": questions}]}


def test_test_questions_have_their_article_as_group_and_training_questions_none(root):
    class Small(SquadDevParts):
        sizes = fixed()

    for part, titles in (("part1", "abcdef"), ("part2", "xyz")):
        path = root / "squad_v1.1" / f"dev-v1.1.{part}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"data": [article(title, 2) for title in titles]}))
    task = Small()
    assert [row.group for row in task.split("test")] == list("xxyyzz")
    assert {row.group for split in ("train", "validation") for row in task.split(split)} == {""}


def test_test_reviews_have_their_product_as_group(root):
    for domain in ("books", "dvd"):
        for label in ("negative", "positive"):
            path = root / "amazon_mdsd/sorted_data_acl" / domain / f"{label}.review"
            path.parent.mkdir(parents=True, exist_ok=True)
            blocks = [
                f"<review>\n<asin>\n{label}{i // 2}\n</asin>\n<review_text>\n{domain} {label} {i}\n</review_text>\n"
                for i in range(10)
            ]
            path.write_text("".join(blocks))
    task = AmazonReviews()
    products = {f"{label}{i}" for label in ("negative", "positive") for i in range(5)}
    assert {row.group for row in task.split("test")} <= products
    assert {row.group for row in task.split("train")} == {""}


def documents(count, marker="-DOCSTART- O\n"):
    return "".join(f"{marker}\nAda{i} B-PER\nran O\n\nBob{i} B-PER\nsat O\n\n" for i in range(count))


def conll(path, params):
    return Catalog.discover().task(f"conll:{path}{params}").item


def test_documents_of_a_conll_file_stay_whole(tmp_path):
    (tmp_path / "a.conll").write_text(documents(20))
    alone, whole = conll(tmp_path / "a.conll", ""), conll(tmp_path / "a.conll", "[group=document]")
    groups = [{row.group for row in whole.split(split)} for split in ("train", "validation", "test")]
    assert sum(map(len, groups)) == 20
    assert not groups[0] & groups[2]
    assert "groups whole" in whole.description
    assert {row.group for row in alone.split("train")} == {""}


def test_documents_of_two_files_are_not_the_same(tmp_path):
    for split in ("train", "test"):
        (tmp_path / f"{split}.conll").write_text(documents(12))
    task = conll(tmp_path, "[group=document]")
    assert {row.group for row in task.split("test")}.isdisjoint(row.group for row in task.split("train"))


def test_documents_of_comments(tmp_path):
    (tmp_path / "a.conll").write_text(documents(20, "#begin document (x); part 0\n"))
    groups = {row.group for row in conll(tmp_path / "a.conll", "[group=document]").split("train")}
    assert 10 < len(groups) < 20
    (tmp_path / "b.conll").write_text(documents(20, ""))
    with pytest.raises(DataError, match="no line -DOCSTART- or # newdoc begins a document"):
        conll(tmp_path / "b.conll", "[group=document]").output  # noqa: B018
