"""What the rows of `benchmarks/speed` work on, and how a side is measured from outside."""

import subprocess
import sys

import psutil
import pytest

from benchmarks.speed import corpora
from benchmarks.speed.contest import suite_text
from benchmarks.speed.process import SideFailed, measure, memory
from benchmarks.speed.rows import ROWS, chosen, quick
from tlbench import Classes
from tlbench.planning.suite import read_suite


def test_the_suite_of_every_row_can_be_read(tmp_path):
    for row in ROWS:
        path = tmp_path / f"{row.name}.toml"
        path.write_text(suite_text(row.work, "minilm-l6", 2))
        suite = read_suite(path)
        (block,) = suite.cells
        (protocol,) = suite.protocols_of(block)
        assert (protocol.trials, protocol.epochs) == (row.work.trials, row.work.epochs)
        assert protocol.seeds == ((2,) if row.work.seeds == 1 else tuple(range(row.work.seeds)))


def test_rows_are_chosen_by_name():
    assert [row.name for row in chosen("top2,probe", gpu=False)] == ["top2", "probe"]
    assert not any(row.gpu for row in chosen("all", gpu=False))
    assert chosen("help", gpu=False) == []
    with pytest.raises(ValueError, match="no row 'prob'"):
        chosen("prob", gpu=False)
    small = quick(chosen("sweep", gpu=False)[0], "generated", "tiny-random").work
    assert (small.trials, small.seeds, small.train, len(small.strategies)) == (2, 2, 60, 5)


def test_the_same_rows_are_drawn_each_time_and_never_twice(tmp_path):
    folder = tmp_path / "glue" / "SST-2"
    folder.mkdir(parents=True)
    lines = ["sentence\tlabel", *(f'line "{i} \t{i % 2}' for i in range(50))]
    for split in ("train", "dev"):
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    first = corpora.load("sst2", str(tmp_path), 20, 30)
    assert first == corpora.load("sst2", str(folder.parent), 20, 30)
    assert (len(first.train), len(first.validation), len(first.test)) == (20, 15, 15)
    assert not {row.id for row in first.validation} & {row.id for row in first.test}
    assert all(row.texts[0].startswith('line "') and int(row.id.split("-")[1]) % 2 == row.label for row in first.train)
    with pytest.raises(ValueError, match="51 rows asked for, 50 there"):
        corpora.load("sst2", str(tmp_path), 51, 30)
    with pytest.raises(FileNotFoundError, match=r"RTE/train\.tsv"):
        corpora.load("rte", str(tmp_path), 1, 1)


def test_pairs_of_texts_are_read_with_their_labels(tmp_path):
    for name, line in (("RTE", "7\ta\tb\tnot_entailment"), ("MRPC", "0\t1\t2\ta\tb")):
        (tmp_path / name).mkdir()
        for split in ("train", "dev"):
            (tmp_path / name / f"{split}.tsv").write_text(f"\ufeffhead\n{line}\n", encoding="utf-8")
    for corpus, label in (("rte", 1), ("mrpc", 0)):
        (row,) = corpora.load(corpus, str(tmp_path), 1, 1).train
        assert (row.texts, row.label, row.id) == (("a", "b"), label, "train-0")


def test_a_side_that_fails_says_why(tmp_path):
    with pytest.raises(SideFailed, match="status 3\nno such thing"):
        measure([sys.executable, "-c", "print('no such thing'); raise SystemExit(3)"], {}, tmp_path / "log")


def test_children_count_to_the_memory_of_a_side():
    hold = "import os; held = bytearray({} * 2**20); os.write(1, b'held\\n'); input()"
    code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {hold.format(80)!r}], stdin=0)\n"
        f"{hold.format(60)}"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tree:
        assert [tree.stdout.readline() for _ in range(2)] == [b"held\n"] * 2
        now = memory(psutil.Process(tree.pid))
        tree.communicate(b"\n\n")
    assert now > 140 * 2**20


def test_the_classes_of_a_task_are_those_of_its_corpus():
    from benchmarks.speed.plugin import tlbench_tasks

    outputs = {task.name: task.output for task in tlbench_tasks()}
    assert outputs["speed-rte"] == Classes(("entailment", "not_entailment"))
