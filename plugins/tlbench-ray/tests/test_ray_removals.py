"""The heavy form of the tests of machines that leave: `make soak-ray`."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cluster_runs import ClusterRun, cut_off, eventually, lines

pytest.importorskip("ray", reason="ray is not installed: pip install ray")
# 10 machines with 10 workers each: 100 late answers.
ROUNDS = int(os.environ.get("TLBENCH_RAY_ROUNDS", "10"))
WORKERS = int(os.environ.get("TLBENCH_RAY_WORKERS", "10"))

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_machine_is_removed_and_its_late_answers_are_refused(cluster, tmp_path, monkeypatch, number):
    """Fits are under way on a machine that the run gives up; they end and are refused, and the machine is removed."""
    leaving = cluster.add(10 + number, WORKERS)
    try:
        run = ClusterRun(tmp_path, monkeypatch, cluster.address, workers=WORKERS + 4, trials=WORKERS + 4)
        given_up = []

        def leave(run):
            nodes = run.executor._workers._nodes.values()
            node = max(nodes, key=lambda node: len(node.slots))
            given_up.extend(slot.handle for slot in node.slots)
            cut_off(run, node)
            eventually(lambda: all(handle.outcome is not None for handle in given_up), "giving up the machine")
            run.go.touch()
            eventually(lambda: lines(run.ended) >= WORKERS + 4, "the late fits")

        records = run.carry_out(leave, refused=WORKERS)
        cluster.remove_node(leaving, allow_graceful=False)
        assert len(given_up) == WORKERS
        assert run.executor.refused == WORKERS
        run.assert_all_once(records)
    finally:
        if leaving in cluster.list_all_nodes():
            cluster.remove_node(leaving)
