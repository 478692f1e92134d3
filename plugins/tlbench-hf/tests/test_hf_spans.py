"""Questions and contexts as token rows: windows, offsets and targets equal those of transformers' example."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tlbench_hf.plugin import tlbench_backbones
from tlbench_hf.sources import fetched_folder
from tlbench_hf.text import tokenizing as tokens
from tlbench_hf.text.span_rows import _is_answerable, featurize

from tlbench import Answer, Example, Examples, PluginError, UsageError
from tlbench.modeling.heads import Outputs, SpanHead

MINILM = next(backbone for backbone in tlbench_backbones() if backbone.name == "minilm-l6")
CONTEXT = (
    "Super Bowl 50 was an American football game to determine the champion of the National Football League (NFL) for "
    "the 2015 season. The Denver Broncos defeated the Carolina Panthers 24\u201310 to earn their third title. The game "
    "was played on February 7, 2016, at Levi's Stadium in Santa Clara, California, by naïve estimates."
)
ANSWERS = ("Denver Broncos", "24\u201310", "Levi's Stadium", "naïve", "Super Bowl 50", "estimates.", "California")


@pytest.fixture(scope="module")
def folder() -> Path:
    return fetched_folder(MINILM.source, MINILM.revision)


def question_about(*answers: str, question: str = "What is it then?") -> Examples:
    """Returns a question for each answer; an empty one is not in the context."""
    return Examples(
        Example(str(i), (question, CONTEXT), (Answer(text, CONTEXT.index(text)),) if text else ())
        for i, text in enumerate(answers)
    )


def official(library: object, examples: Examples, length: int, stride: int) -> tuple[list, list, list]:
    """What `prepare_train_features` of transformers' question-answering example makes: ids, starts, ends."""
    encoded = library(
        [e.inputs[0] for e in examples], [e.inputs[1] for e in examples], truncation="only_second", max_length=length,
        stride=stride, return_overflowing_tokens=True, return_offsets_mapping=True,
    )  # fmt: skip
    starts, ends = [], []
    for row, offsets in enumerate(encoded["offset_mapping"]):
        parts = encoded.sequence_ids(row)
        answers = examples[encoded["overflow_to_sample_mapping"][row]].target
        first, last = parts.index(1), len(parts) - 1 - parts[::-1].index(1)
        inside = bool(answers) and offsets[first][0] <= answers[0].start
        if not inside or offsets[last][1] < answers[0].start + len(answers[0].text):
            starts.append(0)
            ends.append(0)
            continue
        stop = answers[0].start + len(answers[0].text)
        while first < len(offsets) and offsets[first][0] <= answers[0].start:
            first += 1
        starts.append(first - 1)
        while offsets[last][1] >= stop:
            last -= 1
        ends.append(last + 1)
    return encoded["input_ids"], starts, ends


@pytest.mark.parametrize(("length", "stride"), [(128, 32), (40, 10), (24, 6)])
def test_windows_and_targets_are_those_of_transformers_own_example(folder: Path, length: int, stride: int):
    examples = question_about(*ANSWERS, "")
    ids, starts, ends = official(tokens.load_tokenizer(folder).library, examples, length, stride)
    data = featurize(examples, folder, length)
    assert [row.ids.tolist() for row in data.rows] == ids
    assert SpanHead(4).targets(data).tolist() == [list(pair) for pair in zip(starts, ends, strict=True)]
    assert all(any(starts[i] for i in np.flatnonzero(data.owners == owner)) for owner in range(len(ANSWERS)))
    assert not any(starts[i] for i in np.flatnonzero(data.owners == len(ANSWERS)))


def test_every_token_of_the_context_stands_for_its_own_characters(folder: Path):
    library = tokens.load_tokenizer(folder).library
    data = featurize(question_about("naïve"), folder, 24)
    covered = np.zeros(len(CONTEXT), dtype=bool)
    for row, offsets in zip(data.rows, data.alignment, strict=True):
        for token, (start, end) in zip(row.ids.tolist(), offsets.tolist(), strict=True):
            if start < 0:
                assert end == -1
                continue
            covered[start:end] = True
            piece = library.convert_ids_to_tokens(token).removeprefix("##")
            assert piece == CONTEXT[start:end].lower().replace("ï", "i")
    assert all(covered[i] or CONTEXT[i] == " " for i in range(len(CONTEXT)))


@pytest.mark.parametrize("length", [128, 24])
def test_the_positions_of_an_answer_give_back_its_text(folder: Path, length: int):
    examples = question_about(*ANSWERS)
    data = featurize(examples, folder, length)
    head = SpanHead(4)
    rows = []
    for offsets, (first, last) in zip(data.alignment, head.targets(data).tolist(), strict=True):
        logits = np.zeros((len(offsets), 2), dtype=np.float32)
        logits[first, 0] = logits[last, 1] = 9.0
        rows.append(logits)
    assert head.merge([Outputs(rows)], data).values.tolist() == list(ANSWERS)


def test_a_long_question_leaves_half_of_the_row_to_the_context(folder: Path):
    data = featurize(question_about("naïve", question="why " * 200), folder, 43)
    inside = [int((offsets[:, 0] >= 0).sum()) for offsets in data.alignment]
    assert max(inside) == 20
    assert max(len(row.ids) for row in data.rows) == 43
    assert SpanHead(4).targets(data).any()
    assert data.truncated.tolist() == [True]
    assert featurize(question_about("naïve", "naïve"), folder, 43).truncated.tolist() == [False, False]


def test_blanks_around_a_question_say_nothing(folder: Path):
    plain, padded = question_about("naïve"), question_about("naïve", question="  What is it then? ")
    rows = [featurize(examples, folder, 64).rows for examples in (plain, padded)]
    assert [row.ids.tolist() for row in rows[0]] == [row.ids.tolist() for row in rows[1]]


def test_inputs_that_are_no_question_and_rows_without_room_are_refused(folder: Path):
    with pytest.raises(PluginError, match="question and its context"):
        featurize(Examples([Example("a", ("a text",), ())]), folder, 64)
    with pytest.raises(UsageError, match="max_length is 3"):
        featurize(question_about("naïve"), folder, 3)
    assert len(featurize(question_about("naïve"), folder, 4)) > 50


def test_an_empty_context_is_a_row_without_an_answer(folder: Path):
    data = featurize(Examples([Example("a", ("what is it", ""), ())]), folder, 64)
    assert len(data) == 1
    assert SpanHead(4).targets(data).tolist() == [[0, 0]]
    logits = [np.zeros((len(data.alignment[0]), 2), np.float32)]
    assert SpanHead(4).merge([Outputs(logits)], data).values.tolist() == [""]


def test_what_stands_for_white_space_alone_is_no_answer():
    contexts = ["on a hill", "by  sea"]
    found = SimpleNamespace(
        owners=np.array([0, 1]),
        rows=SimpleNamespace(lengths=np.array([5, 4])),
        parts=np.array([0, -1, 1, 1, 1, 1, 1, 1, -1], dtype=np.int8),
        offsets=np.array([[0, 2], [0, 0], [0, 2], [2, 3], [3, 9], [0, 2], [2, 4], [4, 4], [0, 0]], dtype=np.int32),
    )
    assert _is_answerable(found, contexts).tolist() == [False, False, True, False, True, True, False, False, False]
