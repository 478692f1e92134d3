"""GLUE's own tasks, on its files where they are here, else on made-up excerpts in the same layout."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants
from tlbench_data.tasks.published_files import fixed
from tlbench_glue.plugin import tlbench_tasks
from tlbench_glue.real.glue_task import GlueTask
from tlbench_glue.real.pairs import Mnli, Mrpc, Qnli, Qqp, Rte, Stsb, Wnli
from tlbench_glue.real.single import Cola, Sst2

from tlbench import DataError, Examples, Scalar
from tlbench.catalog.data_roots import DATA_VARIABLE
from tlbench.testing.conformance import TaskConformance

REAL = {task.name: task for task in tlbench_tasks() if isinstance(task, GlueTask)}


class RealGlue(TaskConformance):
    """Known numbers of repeated and overlapping examples in the published data."""

    task: ClassVar[GlueTask]
    repeated: ClassVar[int] = 0
    shared: ClassVar[int] = 0
    counts: ClassVar[dict[str, tuple[int, ...]]] = {}
    """Split to its number of examples of each class."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _is_here(cls) -> None:
        if cls.task.missing():
            # One reason for all of them: pytest then reports it once for each test, not once for each task.
            pytest.skip("the published files are not here: set TLBENCH_DATA to the folder that holds them")

    def test_sizes(self, splits: dict[str, Examples]) -> None:
        assert {name: len(rows) for name, rows in splits.items()} == dict(self.task.sizes)

    def test_classes_are_as_frequent_as_published(self, splits: dict[str, Examples]) -> None:
        for name, counts in self.counts.items():
            found = Counter(row.target for row in splits[name])
            assert tuple(found[index] for index in range(len(counts))) == counts

    def test_no_overlap(self, splits: dict[str, Examples]) -> None:
        shown = {name: [row.inputs for row in rows] for name, rows in splits.items()}
        assert sum(len(rows) - len(set(rows)) for rows in shown.values()) == self.repeated
        train = set(shown["train"])
        assert sum(inputs in train for inputs in shown["test"]) == self.shared


class TestCola(RealGlue):
    task = Cola()
    repeated, shared = 23, 16
    counts = {"train": (2528, 6023), "test": (322, 721)}


class TestSst2(RealGlue):
    task = Sst2()
    repeated = 371
    counts = {"train": (29780, 37569), "test": (428, 444)}


class TestMrpc(RealGlue):
    task = Mrpc()
    counts = {"train": (1194, 2474), "validation": (129, 279), "test": (578, 1147)}


class TestRte(RealGlue):
    task = Rte()
    repeated = 2
    counts = {"train": (1249, 1241), "test": (146, 131)}


class TestStsb(RealGlue):
    task = Stsb()
    repeated, shared = 45, 6

    def test_the_mean_is_the_published_one(self, splits: dict[str, Examples]) -> None:
        means = {name: sum(row.target for row in rows) / len(rows) for name, rows in splits.items()}
        assert means == pytest.approx({"train": 2.701, "test": 2.364}, abs=0.001)


class TestWnli(RealGlue):
    task = Wnli()
    counts = {"train": (323, 312), "test": (40, 31)}


def test_all_nine_are_there():
    assert set(REAL) == {"cola", "sst2", "mrpc", "stsb", "rte", "wnli", "qnli", "qqp", "mnli"}
    for task in REAL.values():
        assert task.source
        assert task.licence
        assert "dev" in task.description


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def small(task, **fields):
    """Returns the task without its published sizes, which an excerpt does not have."""

    @dataclass(frozen=True)
    class Small(type(task)):
        sizes = fixed()

    return Small(**fields)


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def test_questions_and_sentences(root):
    rows = [("index", "question", "sentence", "label"), ("0", 'Who said "no?', "Ada did.", "entailment")]
    for name in ("train", "dev"):
        write(root / f"glue/QNLI/{name}.tsv", *rows)
    (row,) = small(Qnli()).split("test")
    assert (row.inputs, row.target) == (('Who said "no?', "Ada did."), 0)


def test_duplicate_questions_without_rows_that_are_cut_off(root):
    header = ("id", "qid1", "qid2", "question1", "question2", "is_duplicate")
    rows = [header, ("1", "1", "2", "Why?", "How come?", "1"), ("2", "3", "4", "Cut"), ("3", "5", "6", "A?", "B?", "0")]
    for name in ("train", "dev"):
        write(root / f"QQP/{name}.tsv", *rows)
    assert [row.target for row in small(Qqp()).split("train")] == [1, 0]


def test_matched_and_mismatched(root):
    def row(genre, label):
        return ("0", genre, "A man sleeps.", "A man is awake.", "neutral", label)

    header = ("index", "genre", "sentence1", "sentence2", "label1", "gold_label")
    write(root / "glue/MNLI/train.tsv", header, row("fiction", "neutral"))
    write(root / "glue/MNLI/dev_matched.tsv", header, row("fiction", "entailment"))
    write(root / "glue/MNLI/dev_mismatched.tsv", header, row("letters", "contradiction"))
    matched, other = small(Mnli()).split("test")[0], small(Mnli(), matched=False).split("test")[0]
    assert (matched.target, dict(matched.slices)) == (0, {"genre": "fiction"})
    assert (other.target, dict(other.slices)) == (2, {"genre": "letters"})
    assert Mnli().sizes["test"] == 9815
    assert Mnli(matched=False).sizes["test"] == 9832


def test_a_label_that_is_none(root):
    for name in ("train", "dev"):
        write(root / f"CoLA/{name}.tsv", ("gj04", "2", "", "A sentence."))
    with pytest.raises(DataError, match=r"train\.tsv, line 1: label is '2', which is none of 0, 1"):
        small(Cola()).split("train")


HUB_ROWS = {
    "cola": {"sentence": "A.", "label": 1},
    "sst2": {"sentence": "A.", "label": 1},
    "mnli": {"premise": "A.", "hypothesis": "B.", "label": 1},
    "qnli": {"question": "A?", "sentence": "B.", "label": 1},
    "qqp": {"question1": "A?", "question2": "B?", "label": 1},
    **{name: {"sentence1": "A.", "sentence2": "B.", "label": 1} for name in ("mrpc", "rte", "wnli")},
    "stsb": {"sentence1": "A.", "sentence2": "B.", "label": 1.0},
}


@pytest.mark.parametrize("name", HUB_ROWS)
def test_the_columns_of_the_hub(root, name):
    task = small(REAL[name])
    assert task.missing()
    hub = task.hub
    folder = root / "hub" / "datasets--nyu-mll--glue" / "snapshots" / hub.revision / hub.config
    folder.mkdir(parents=True)
    for split in task.hub_splits.values():
        pq.write_table(pa.Table.from_pylist([HUB_ROWS[name]]), folder / f"{split}-00000-of-00001.parquet")
    assert task.missing() is None
    (row,) = task.split("test")
    assert row.target == 1
    assert isinstance(row.target, float) == isinstance(task.output, Scalar)
    assert len(row.inputs) == (1 if name in ("cola", "sst2") else 2)
