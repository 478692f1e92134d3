"""Groups of test examples: the sentence templates of generated tasks, and the pairs of GLUE that share a text."""

from __future__ import annotations

import pytest
from tlbench_data.places import VARIABLE
from tlbench_data.tasks.published_files import fixed
from tlbench_glue.lite.cola import ColaLite
from tlbench_glue.lite.mrpc import MrpcLite
from tlbench_glue.lite.rte import RteLite
from tlbench_glue.lite.sst2 import Sst2Lite
from tlbench_glue.lite.stsb import StsbLite
from tlbench_glue.lite.templates import template_of
from tlbench_glue.real.pairs import Rte


@pytest.mark.parametrize(
    ("texts", "drawn", "expected"),
    [
        (("The dog sees an owl.",), ("dog", "see/saw/seen", "owl"), "the _ _ a _."),
        (("A wolf.", "An ox.", "Wolves."), ("wolf/wolves", "ox"), "_. | a _."),
        (("Ann ran on Tuesday.",), ("Ann", "run/ran", "on Tuesday"), "_ _ _."),
        (("It changed my life and it was good.",), ("it changed my life", "good"), "_ and it was _."),
        (("Catalogues of cats.",), ("cat",), "catalogues of _."),
        (("Nothing was drawn.",), (), "nothing was drawn."),
    ],
)
def test_a_template_has_a_blank_for_every_word_that_was_drawn(texts, drawn, expected):
    assert template_of(texts, drawn) == expected


@pytest.mark.parametrize(
    ("task", "count"), [(ColaLite(), 34), (Sst2Lite(), 36), (MrpcLite(), 21), (RteLite(), 18), (StsbLite(), 15)]
)
def test_the_group_of_a_generated_test_example_is_its_template(task, count):
    groups = [example.group for example in task.split("test")]
    assert all(groups)
    assert len(set(groups)) == count
    for split in ("train", "validation"):
        assert not any(example.group for example in task.split(split))


def test_both_sentences_of_a_minimal_pair_are_in_one_group():
    groups = {}
    for example in ColaLite().split("test"):
        groups.setdefault(example.group, []).append(example.target)
    # The last draw may have been cut.
    assert sum(targets.count(0) != targets.count(1) for targets in groups.values()) <= 1
    assert "self_noun: the _ _ herself. | the _ _ himself." in groups


def test_hypotheses_of_one_premise_are_one_group(tmp_path, monkeypatch):
    class Small(Rte):
        sizes = fixed()

    monkeypatch.setenv(VARIABLE, str(tmp_path))
    rows = [("p", "h0"), ("p", "h1"), ("q", "h2")]
    lines = ["index\tsentence1\tsentence2\tlabel", *(f"{i}\t{a}\t{b}\tentailment" for i, (a, b) in enumerate(rows))]
    for name in ("train.tsv", "dev.tsv"):
        path = tmp_path / "glue/RTE" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    task = Small()
    assert [example.group for example in task.split("test")] == ["test-0", "test-0", ""]
    assert [example.group for example in task.split("train")] == ["", "", ""]
