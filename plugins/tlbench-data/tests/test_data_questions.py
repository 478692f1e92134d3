"""Question answering from own files: the forms that are read, and messages that name the file and the question."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tlbench_data.readers import squad

from tlbench import Answer, DataError
from tlbench.catalog.catalog import Catalog

CONTEXT = "Anna Miller moved to Oslo in 1990."


def item(**changes):
    answers = [{"text": "Oslo", "answer_start": 21}]
    whole = {"id": "q0", "question": "Where did Anna move?", "answers": answers, **changes}
    return {key: value for key, value in whole.items() if value is not ...}


def flat(i=0, **changes):
    answers = {"text": ["Oslo"], "answer_start": [21]}
    return {"title": "T", "context": CONTEXT, **item(id=f"q{i}", answers=answers, **changes)}


def document(*items, context=CONTEXT):
    return {"version": "1.1", "data": [{"title": "T", "paragraphs": [{"context": context, "qas": list(items)}]}]}


def read(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return list(squad(path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", "\n".join(json.dumps(flat(i)) for i in range(3))),
        ("a.json", "\n".join(json.dumps(flat(i)) for i in range(3))),
        ("a.json", json.dumps([flat(i) for i in range(3)])),
        ("a.json", json.dumps({"version": "0.1", "data": [flat(i) for i in range(3)]}, indent=1)),
        ("a.json", document(*(item(id=f"q{i}") for i in range(3)))),
    ],
)
def test_flat_rows_say_what_squad_says(tmp_path, name, content):
    questions = read(tmp_path / name, content)
    assert [question.id for question in questions] == ["q0", "q1", "q2"]
    assert {question.article for question in questions} == {"T"}
    assert {question.answers for question in questions} == {(Answer("Oslo", 21),)}


def test_flat_rows_of_parquet_and_without_an_answer(tmp_path):
    rows = [flat(), {**flat(1), "answers": {"text": [], "answer_start": []}}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert [question.answers for question in squad(tmp_path / "a.parquet")] == [(Answer("Oslo", 21),), ()]


def test_a_folder_of_flat_rows_is_a_task(tmp_path):
    for split, size in (("train", 4), ("test", 2)):
        # Two contexts: questions on one stay together, and none of a single one would be left to validate on.
        rows = ({**flat(i), "id": f"{split}{i}", "context": f"{CONTEXT}{' Really.' * (i % 2)}"} for i in range(size))
        lines = map(json.dumps, rows)
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines))
    task = Catalog.discover().task(f"squad:{tmp_path}").item
    assert task.sizes == {"train": 4, "test": 2}
    assert task.split("test")[0].target == (Answer("Oslo", 21),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (document(item(is_impossible="False")), r"question q0: is_impossible is 'False', not true or false"),
        (document(item(is_impossible=0)), r"question q0: is_impossible is 0, not true or false"),
        (document(item(is_impossible=True)), r"question q0: is_impossible is true, but there is the answer 'Oslo'"),
        (
            {"data": [{"context": CONTEXT, "qas": [item()]}]},
            r"article 1: not in SQuAD's format: no 'paragraphs' among context, qas; expected is an object with",
        ),
        ({"data": [{"paragraphs": [{"context": CONTEXT}]}]}, r"article 1, paragraph 1: .* no 'qas' among context"),
        ({"data": [{"paragraphs": {}}]}, r"article 1: .* paragraphs is {}, not a list"),
        ({"data": ["x"]}, r"article 1: not in SQuAD's format: 'x' is not an object with paragraphs"),
        (document("x"), r"paragraph 1, question 1: 'x' is not an object with id"),
        ({"rows": []}, r"not in SQuAD's format, .*: its keys are rows"),
        (
            document(item(id=...)),
            r"article 1, paragraph 1, question 1 \('Where did Anna move\?'\): it has no id; give every question one",
        ),
        (document(item(id=None)), r"question 1 \('Where did Anna move\?'\): its id is None"),
        (document(item(question=...)), r"question q0: the question is empty"),
        (document(item(), context=[1]), r"question q0: the context is \[1\]"),
        (document(item(answers=...)), r"question q0: it has no answers; expected is a list of objects with text"),
        (document(item(answers=["Oslo"])), r"question q0: the answer 'Oslo' has no text"),
        (document(item(answers=[{"text": "Oslo"}])), r"question q0: the answer {'text': 'Oslo'} has no answer_start"),
        (
            document(item(answers=[{"text": "Oslo", "answer_start": "21"}])),
            r"question q0: answer_start is '21', not a whole number; write the number without quotation marks",
        ),
        (document(item(answers=[{"text": "Oslo", "answer_start": None}])), r"question q0: answer_start is None, not"),
        (document(item(answers=[{"text": "Oslo", "answer_start": -4}])), r"answer_start -4 points at ''"),
        ([{**flat(), "answers": {"text": ["a"], "answer_start": []}}], r"question q0: answers is .* as many of"),
        ([{"answers": []}], r"a\.json, row 1 \(None\): it has no id"),
    ],
)
def test_messages_speak_of_the_file_and_the_question(tmp_path, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / "a.json", content)
    assert str(caught.value).startswith(str(tmp_path / "a.json"))
    assert "\n" not in str(caught.value)
    assert "Error" not in str(caught.value)
