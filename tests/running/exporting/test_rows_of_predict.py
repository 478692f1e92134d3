"""The rows that an exported folder's predict.py takes: others would get a wrong answer without a word."""

from __future__ import annotations

import io
import json
import sys

import pytest

from tlbench.running.exporting.standalone import predict_folder
from tlbench.running.exporting.standalone.predict_folder import FolderModel

WORDS = 'expected a list of words, as in [["a", "sentence", "in", "words"]]'


def model(inputs=1, kind="classes", modality="text"):
    one = object.__new__(FolderModel)
    one.inputs, one.output = inputs, {"kind": kind, "modality": modality}
    return one


@pytest.mark.parametrize(
    ("one", "row"),
    [
        (model(), ["a text"]),
        (model(2), ["a text", "another"]),
        (model(2, "span"), ["a question", "a context"]),
        (model(kind="token-classes"), [["two", "words"]]),
        (model(modality="image"), ["photo.png"]),
    ],
)
def test_rows_with_the_inputs_of_the_model_are_taken(one, row):
    assert one.fault(row) == ""


@pytest.mark.parametrize(
    ("one", "row", "message"),
    [
        (model(), {"message": "hello"}, 'expected a JSON list of 1 input, such as ["a text"]'),
        (model(), "hello", 'expected a JSON list of 1 input, such as ["a text"]'),
        (model(), ["a text", "another"], 'expected a JSON list of 1 input, such as ["a text"]'),
        (model(2), ["a text"], 'expected a JSON list of 2 inputs, such as ["a text", "another"]'),
        (model(), [3], 'expected texts, as in ["a text"]'),
        (
            model(kind="token-classes"),
            ["two words"],
            WORDS,
        ),
        (model(kind="token-classes"), [[]], WORDS),
        (model(modality="image"), {}, 'expected a JSON list of 1 input, such as ["photo.png"]'),
    ],
)
def test_other_rows_are_refused_with_an_example(one, row, message):
    assert one.fault(row) == message


@pytest.mark.parametrize(("line", "said"), [("text,label", "it is no JSON"), ('{"text": "a"}', "expected a JSON list")])
def test_a_bad_line_is_named_and_nothing_is_predicted(line, said, monkeypatch, capsys):
    monkeypatch.setattr(predict_folder, "FolderModel", model)
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(["fine"]) + "\n\n" + line + "\n"))
    assert predict_folder.main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("predict.py: line 3: ")
    assert said in err
