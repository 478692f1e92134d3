"""A kind of output that a third party brings is validated, learnt, stored, scored, resampled, ranked and shown."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from tests.contracts.third_party_output import Grades, Ordinal, StepsOff
from tests.running.conftest import Runs
from tlbench.cli.app import _main
from tlbench.contracts.task import Example
from tlbench.metrics.scored import Scored
from tlbench.testing.conformance import MetricConformance, OutputConformance, TaskConformance


class TestOrdinal(OutputConformance):
    output = Ordinal(("poor", "fair", "good", "fine"))
    examples = tuple(Example(f"e{i}", (f"text {i}",), i % 4) for i in range(8))
    metrics = (StepsOff(),)


class TestStepsOff(MetricConformance):
    metric = StepsOff()

    def answers(self, output, seed, n, right=0.5):
        import numpy as np

        rng = np.random.default_rng(seed)
        targets, wrong = rng.integers(0, 4, (2, n))
        return Scored(targets, np.where(rng.random(n) < right, targets, wrong))


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tests.contracts.third_party_output")


class TestGrades(TaskConformance):
    task = Grades()


def test_it_is_learnt_scored_and_ranked(tmp_path, capsys):
    runs = Runs(tmp_path / "out")
    records = runs.run(
        ["full-finetune", "from-scratch"], tasks=["grades"], trials=1, seeds=2, max_steps=30,
        space={"full-finetune": {"lr": 0.03}, "from-scratch": {"lr": 1e-5}},
    )  # fmt: skip
    assert [record.status for record in records] == ["ok", "ok"], records[0].reason
    tuned, scratch = (sum(s.value for s in record.scores if s.slice is None) / len(record.fits) for record in records)
    assert tuned < scratch
    assert _main(["leaderboard", "--all", "--out", str(runs.folder), "-f", "csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert table["strategy"].tolist() == ["full-finetune", "from-scratch"]
    assert table["metric_label"].tolist() == ["steps off"] * 2
    assert set(table["ranked_by"]) == {"paired test"}


def test_tasks_are_listed_by_its_kind(capsys):
    assert _main(["list", "tasks", "--kind", "ordinal"]) == 0
    assert "ordinal (4)" in capsys.readouterr().out
    assert _main(["list", "tasks", "--kind", "ordinals"]) == 2
    assert "--kind ordinals: no task has this kind of output; did you mean ordinal" in capsys.readouterr().err
