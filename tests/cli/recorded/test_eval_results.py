"""`tlbench eval-results`: what huggingface_hub reads back of the file."""

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import Provenance, Record, TestScore
from tlbench.results.records.store import Store

CELL = Cell(Ref("toy-tone"), Ref("toy-fit"), Protocol(seeds=(0, 1)), Ref("toy"))


def stored(folder, record):
    assert Store.create(folder / "out").commit(record, folder)
    return ["eval-results", record.cell.id[:8], "--out", folder / "out", "--dataset", "nyu-mll/glue"]


@pytest.fixture
def command(tmp_path):
    scores = [TestScore("accuracy", seed, 0.5 + seed / 4, 0.4, 0.9, 400) for seed in (0, 1)]
    sliced = TestScore("accuracy", 0, 0.125, 0.1, 0.2, 40, "kind=plain")
    made_with = Provenance(distributions={"tlbench": "0.1.0"}, started="2026-11-30T02:23:00+00:00")
    record = Record(CELL, "ok", metrics=("accuracy",), scores=(*scores, sliced), provenance=made_with)
    return stored(tmp_path, record)


def test_the_hubs_library_reads_back_the_mean_over_seeds(output_of, command, tmp_path):
    output_of(
        *command, "--task", "sst2", "--revision", "abc", "--source-url", "https://example.org", "--to", tmp_path / "m"
    )
    (entry,) = parse_eval_result_entries(yaml.safe_load((tmp_path / "m/.eval_results/glue.yaml").read_text()))
    assert (entry.dataset_id, entry.task_id, entry.dataset_revision) == ("nyu-mll/glue", "sst2", "abc")
    assert entry.value == 62.5
    assert str(entry.date).startswith("2026-11-30")
    assert entry.source_url == "https://example.org"
    assert entry.notes.startswith("accuracy of toy-fit, mean of 2 seeds, 400 test examples; tlbench 0.1.0, cell ")


def test_it_is_printed_without_a_folder(output_of, command):
    assert "nyu-mll/glue" in output_of(*command)


def test_mistakes_are_one_line(output_of, command, tmp_path):
    assert "such as org/name" in output_of(*command[:-1], "glue", status=2)
    failed = stored(tmp_path / "failed", Record(CELL, "oom", reason="no room", metrics=("accuracy",)))
    assert "has no score: its status is oom" in output_of(*failed, status=2)
