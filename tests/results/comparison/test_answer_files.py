"""Files of answers of other programs: their forms, and one line for each mistake."""

import json

import pytest

from tlbench.contracts.errors import DataError
from tlbench.results.comparison.answer_files import read_answers


def written(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '["x", "y"]'),
        ("a.json", '{"resolved": ["x", "y"], "no_generation": ["z"]}'),
        ("a.txt", "x\r\ry\n"),
        ("a.txt", "x\n\n y \n"),
        ("a.jsonl", '"x"\n"y"\n'),
        ("a.csv", "id\nx\ny\n"),
    ],
)
def test_a_list_of_solved_ids_is_read(tmp_path, name, text):
    file = read_answers(written(tmp_path, name, text))
    assert (file.ids, file.is_solved_list) == (("x", "y"), True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,correct\nx,1\ny,false\n"),
        ("a.tsv", "Instance_ID\tresolved\nx\tTrue\ny\t0\n"),
        ("a.jsonl", '{"id": "x", "correct": true}\n{"id": "y", "correct": 0}\n'),
        ("a.json", '[{"doc_id": "x", "acc": 1.0}, {"doc_id": "y", "acc": 0.0}]'),
        ("a.json", '{"x": true, "y": false}'),
        ("a.json", '{"x": {"resolved": true, "cost": 3}, "y": {"resolved": false}}'),
    ],
)
def test_outcomes_are_read(tmp_path, name, text):
    file = read_answers(written(tmp_path, name, text))
    assert (file.ids, file.correct, file.is_solved_list) == (("x", "y"), (True, False), False)


def test_only_line_ends_of_files_end_a_line(tmp_path):
    lines = read_answers(written(tmp_path, "a.txt", "x\u2028y\nz\x85\n"))
    assert lines.ids == ("x\u2028y", "z")
    rows = '{"id": "x", "answer": "a\u2028b\x85c"}\r\n{"id": "y", "answer": "d"}\r\n'
    assert read_answers(written(tmp_path, "a.jsonl", rows)).answers == ("a\u2028b\x85c", "d")


def test_a_program_that_solved_nothing_has_an_empty_list(tmp_path):
    file = read_answers(written(tmp_path, "a.json", '{"total_instances": 500, "resolved_ids": []}'))
    assert (file.ids, file.is_solved_list) == ((), True)


def test_answers_with_targets_are_read(tmp_path):
    file = read_answers(written(tmp_path, "a.csv", '\ufeffid,answer,target\n1,"yes, it is",no\n2, b ,b\n'))
    assert (file.ids, file.answers, file.targets) == (("1", "2"), ("yes, it is", "b"), ("no", "b"))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "id,correct\nx,1\nx,0\n", "row 3: the id 'x' is that of row 2 too"),
        ("a.csv", "id,correct\nx,perhaps\n", "row 2: correct is 'perhaps'"),
        ("a.csv", "id,correct\nx\n", "row 2: fewer values"),
        ("a.csv", "id,answer\nx,1,000\n", "row 2: more values"),
        ("a.csv", "id,correct,Correct\nx,1,0\n", "two columns correct"),
        ("a.csv", "id;correct\nx;1\n", "no column of ids among id;correct"),
        ("a.json", '{"x": 1, "x": 0}', "the key 'x' occurs twice"),
        ("a.jsonl", '{"id": "x", "acc": 1}\n{"id": "y", "acc": 1, "acc": 0}', "line 2: not JSON: the key 'acc' occurs"),
        ("a.csv", "name,correct\nx,1\n", "no column of ids"),
        ("a.csv", "id,colour\nx,red\n", "no answers"),
        ("a.csv", "id,answer\n", "no rows"),
        ("a.csv", "id,answer\n,1\n", "row 2: no id"),
        ("a.csv", b"id,answer\n\xff\xfe,1\n", "not UTF-8"),
        ("a.json", "[1, 2", "not JSON"),
        ("a.json", "[]", "empty"),
        ("a.json", "[[1]]", "row 1: no id"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.jsonl", '{"id": "x", "correct": 1}\n{"id": \n', "line 2: not JSON"),
        ("a.txt", "\n", "no ids"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_row(tmp_path, name, text, says):
    path = written(tmp_path, name, text)
    with pytest.raises(DataError, match="a\\.") as caught:
        read_answers(path)
    assert says in str(caught.value)


def test_what_is_no_regular_file_is_refused(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(DataError, match="not a regular file"):
        read_answers(tmp_path / "pipe.json")


def test_a_large_file_is_read_whole(tmp_path):
    ids = [f"instance-{i}" for i in range(20_000)]
    assert read_answers(written(tmp_path, "a.json", json.dumps(ids))).ids == tuple(ids)
