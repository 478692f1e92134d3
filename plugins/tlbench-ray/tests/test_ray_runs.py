"""`tlbench run` on a cluster: the same records as elsewhere, whatever machines see and whenever the driver dies."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tlbench.cli.app import _main
from tlbench.results.records.store import Store

pytest.importorskip("ray", reason="ray is not installed: pip install ray")
# Two machines of a cluster import all libraries on the cores that other tests use.
pytestmark = pytest.mark.timeout(900)
SUITE = """
[protocol]
trials = 4
seeds = 2
[[cells]]
tasks = ["toy-tone", "toy-count"]
backbones = ["toy"]
strategies = ["toy-fit", "toy-tune"]
[[cells]]
tasks = ["toy-tone"]
strategies = ["toy-majority"]
"""
CELLS = 5
PLUGINS = "tlbench.testing.toy_plugin,tlbench.testing.faults"
PATIENCE_SECONDS = 150.0


@pytest.fixture
def suite(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", PLUGINS)
    (tmp_path / "toys.toml").write_text(SUITE)
    return tmp_path / "toys.toml"


def ran(suite, out, executor, *more):
    assert (
        _main(["run", "--suite", str(suite), "--out", str(out), "--device", "cpu", "--executor", executor, *more]) == 0
    )
    return essences(out)


def essences(out):
    records = list(Store.open(out).records())
    return {
        record.cell.id: (
            record.status,
            record.attempt,
            record.best_params,
            record.scores,
            record.validation_predictions,
        )
        for record in records
    }


def test_records_are_those_of_other_executors_with_and_without_the_folder_of_results(cluster, suite, tmp_path):
    expected = ran(suite, tmp_path / "inline", "inline", "--jobs", "64", "--keep-models", "best-seed")
    assert len(expected) == CELLS
    for files in ("auto", "returned"):
        name = f"ray[address={cluster.address},workers=2,files={files}]"
        assert ran(suite, tmp_path / files, name, "--keep-models", "best-seed") == expected
        store = Store.open(tmp_path / files)
        assert len(list(store.root.glob("models/*/*"))) == len(list((tmp_path / "inline").glob("models/*/*")))
        assert not list(store.root.glob("work/*/.saved-*"))
        assert not list(store.root.glob("work/.ray-*"))


def test_a_driver_that_was_killed_is_started_again_on_the_same_cluster(cluster, suite, tmp_path):
    expected = ran(suite, tmp_path / "inline", "inline", "--jobs", "64")
    out = tmp_path / "out"
    name = f"ray[address={cluster.address},workers=2]"
    command = [sys.executable, "-m", "tlbench", "run", "--suite", str(suite), "--out", str(out), "--executor", name]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    driver = subprocess.Popen([*command, "--device", "cpu"], start_new_session=True, env={**os.environ}, **quiet)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while driver.poll() is None and not list(out.glob("work/*/trials-*.json")):
            assert time.monotonic() < deadline, "no fit was finished"
            time.sleep(0.01)
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
    assert ran(suite, out, name) == expected


def test_a_cluster_that_does_not_suit_is_refused_in_one_line(cluster, suite, tmp_path, monkeypatch, capsys):
    from tlbench_ray import cluster_workers

    def refused(options):
        name = f"ray[address={cluster.address},{options}]"
        assert _main(["run", "--suite", str(suite), "--out", str(tmp_path / "out"), "--executor", name]) == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
        return line

    assert "no machine of the Ray cluster has room for a worker, which needs 99 CPUs" in refused("cpus=99")
    assert "has no GPU" in refused("gpus=1")
    assert "there is no such folder" in refused("working_dir=/nowhere")
    mine = cluster_workers.installed_versions()
    monkeypatch.setattr(cluster_workers, "installed_versions", lambda: {**mine, "torch": "9.9"})
    assert f"has torch {mine['torch']} (here 9.9): install the same versions" in refused("workers=1")


def test_without_a_cluster_one_line_says_how_to_start_one(suite, tmp_path, capsys):
    import ray

    ray.shutdown()
    name = "ray[address=127.0.0.1:1]"
    assert _main(["run", "--suite", str(suite), "--out", str(tmp_path / "out"), "--executor", name]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert "127.0.0.1:1" in line
