"""Exact match and F1 of question answering equal SQuAD's official evaluation scripts."""

import json
import os
import re
import string
from collections import Counter
from pathlib import Path

import pytest

from tlbench.metrics.builtin.answering import answer_f1, exact_match, normalised
from tlbench.metrics.resampling import score
from tlbench.metrics.scored import Scored


# The functions below follow the official scripts, independently of tlbench's own.
def official_normalize(s):
    def remove_articles(text):
        return re.sub(r"\b(a|an|the)\b", " ", text)

    def remove_punc(text):
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    return " ".join(remove_articles(remove_punc(s.lower())).split())


def official_f1(prediction, truth):
    """F1 of the script of version 1.1."""
    prediction_tokens = official_normalize(prediction).split()
    truth_tokens = official_normalize(truth).split()
    num_same = sum((Counter(prediction_tokens) & Counter(truth_tokens)).values())
    if num_same == 0:
        return 0
    precision, recall = num_same / len(prediction_tokens), num_same / len(truth_tokens)
    return 2 * precision * recall / (precision + recall)


def official_f1_2(truth, prediction):
    """F1 of the script of version 2.0."""
    gold_toks, pred_toks = official_normalize(truth).split(), official_normalize(prediction).split()
    if not gold_toks or not pred_toks:
        return int(gold_toks == pred_toks)
    return official_f1(prediction, truth)


def version_1(accepted, prediction):
    exact = max(official_normalize(prediction) == official_normalize(truth) for truth in accepted)
    return float(exact), max(official_f1(prediction, truth) for truth in accepted)


def version_2(accepted, prediction):
    gold = [text for text in accepted if official_normalize(text)] or [""]
    exact = max(int(official_normalize(text) == official_normalize(prediction)) for text in gold)
    return float(exact), float(max(official_f1_2(text, prediction) for text in gold))


CASES = [
    (("Denver Broncos", "The Denver Broncos"), "the Denver Broncos!", 1, 1),
    (("Santa Clara, California", "Levi's Stadium"), "Levis stadium in Santa Clara", 0, 0.571429),
    (("in the 1870s", "1870s"), "1870s", 1, 1),
    (("a cat",), "an cat cat", 0, 2 / 3),
    (("10 million",), "ten million", 0, 0.5),
    (("U.S.",), "US", 1, 1),
    (("golden",), "", 0, 0),
    (("self-esteem",), "self esteem", 0, 0),
    (("\u201cquoted\u201d",), "quoted", 0, 0),
    (("\u00e9t\u00e9",), "\u00c9T\u00c9", 1, 1),
    (("theatre",), "atre", 0, 0),
]


@pytest.mark.parametrize(("accepted", "answer", "exact", "f1"), CASES)
def test_questions_with_answers_are_as_in_both_versions(accepted, answer, exact, f1):
    # The expected values above have six digits.
    assert (exact_match(accepted, answer), answer_f1(accepted, answer)) == pytest.approx((exact, f1), abs=1e-6)
    assert (exact, f1) == pytest.approx(version_1(accepted, answer), abs=1e-6)
    assert (exact, f1) == pytest.approx(version_2(accepted, answer), abs=1e-6)


@pytest.mark.parametrize(
    ("accepted", "answer", "value"),
    [((), "", 1), ((), "the", 1), ((), "Rome", 0), (("",), "", 1), (("the",), "", 1), (("a", "cat"), "the", 0)],
)
def test_questions_without_an_answer_are_as_in_version_2(accepted, answer, value):
    assert (exact_match(accepted, answer), answer_f1(accepted, answer)) == (value, value)
    assert version_2(accepted, answer) == (value, value)


def test_a_split_is_scored_by_its_mean():
    accepted, answers, exact, f1 = zip(*CASES, strict=True)
    scored = Scored([*accepted, ()], [*answers, ""])
    assert score("exact_match", scored) == pytest.approx((sum(exact) + 1) / (len(CASES) + 1))
    assert score("answer_f1", scored) == pytest.approx((sum(f1) + 1) / (len(CASES) + 1), abs=1e-6)


def test_real_questions_are_scored_as_the_scripts_do():
    folder = Path(os.environ.get("TLBENCH_DATA", "nowhere")) / "squad_v1.1"
    files = sorted(folder.glob("*.json"))
    if not files:
        pytest.skip("SQuAD's files are not in the folder that TLBENCH_DATA names")
    articles = json.loads(files[0].read_text(encoding="utf-8"))["data"][:3]
    questions = [question for article in articles for part in article["paragraphs"] for question in part["qas"]]
    assert len(questions) > 100
    for number, question in enumerate(questions):
        accepted = tuple(answer["text"] for answer in question["answers"])
        first = accepted[0].split()
        # Predictions that are correct, too long, too short, and of another question.
        other = questions[number - 1]["answers"][0]["text"]
        for answer in (accepted[-1], f"The {accepted[0]}, {other}", " ".join(first[1:]), other):
            assert (exact_match(accepted, answer), answer_f1(accepted, answer)) == version_1(accepted, answer)
            assert normalised(answer) == official_normalize(answer)
