"""Groups of test examples: the sentence templates of generated tasks, and the pairs of GLUE that share a text."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from tlbench_data.tasks.published_files import fixed
from tlbench_glue.lite.cola import ColaLite
from tlbench_glue.lite.draw import is_held_out, template
from tlbench_glue.lite.lexicon import Words
from tlbench_glue.lite.mrpc import MrpcLite
from tlbench_glue.lite.rte import RteLite
from tlbench_glue.lite.sst2 import Sst2Lite
from tlbench_glue.lite.stsb import StsbLite
from tlbench_glue.real.pairs import Rte

from tlbench.catalog.data_roots import DATA_VARIABLE

TASKS = {task.name: task for task in (ColaLite(), Sst2Lite(), MrpcLite(), RteLite(), StsbLite())}


def templates(task, split, n):
    """Returns the templates of n draws of each of the split's frames."""
    words, found = Words(split, Random(0)), set()
    for frame in task.frames:
        if split == "test" or not frame.new:
            for _ in range(n):
                words.form.clear()
                frame.make(words)
                if is_held_out(frame, words) == (split == "test"):
                    found.add(template(frame, words))
    return found


@pytest.mark.parametrize("name", TASKS)
def test_no_template_of_the_test_split_is_in_another(name):
    found = {split: templates(TASKS[name], split, 80) for split in ("train", "validation", "test")}
    assert found["test"].isdisjoint(found["train"] | found["validation"])
    assert len(found["test"] | found["train"]) >= 300
    assert {example.group.split(" / ")[0] for example in TASKS[name].split("test")} == {
        frame.make.__name__.strip("_") for frame in TASKS[name].frames
    }


@pytest.mark.parametrize(
    ("name", "count"),
    [("cola-lite", 361), ("sst2-lite", 309), ("mrpc-lite", 367), ("rte-lite", 415), ("stsb-lite", 322)],
)
def test_the_group_of_a_generated_test_example_is_its_template(name, count):
    task = TASKS[name]
    groups = [example.group for example in task.split("test")]
    assert all(groups)
    assert len(set(groups)) == count
    for split in ("train", "validation"):
        assert not any(example.group for example in task.split(split))


@pytest.mark.parametrize("name", ["cola-lite", "sst2-lite", "mrpc-lite", "rte-lite"])
def test_labels_of_a_template_are_not_balanced(name):
    groups = {}
    for example in TASKS[name].split("test"):
        groups.setdefault(example.group, []).append(example.target)
    sums = np.array([sum(2 * target - 1 for target in targets) for targets in groups.values()])
    # The standard error of a constant answer is near that of as many independent examples.
    assert 0.7 < np.sqrt((sums**2).sum() / 512) < 1.4


def test_hypotheses_of_one_premise_are_one_group(tmp_path, monkeypatch):
    class Small(Rte):
        sizes = fixed()

    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    rows = [("p", "h0"), ("p", "h1"), ("q", "h2")]
    lines = ["index\tsentence1\tsentence2\tlabel", *(f"{i}\t{a}\t{b}\tentailment" for i, (a, b) in enumerate(rows))]
    for name in ("train.tsv", "dev.tsv"):
        path = tmp_path / "glue/RTE" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    task = Small()
    assert [example.group for example in task.split("test")] == ["test-0", "test-0", ""]
    assert [example.group for example in task.split("train")] == ["", "", ""]
