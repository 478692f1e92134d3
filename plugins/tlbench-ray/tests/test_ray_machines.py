"""Machines that leave in the middle, answers that come too late, and drivers that die: every cell is recorded once."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cluster_runs import ClusterRun, cut_off, eventually, lines

pytest.importorskip("ray", reason="ray is not installed: pip install ray")
# Two machines of a cluster import all libraries on the cores that other tests use, which has taken minutes there: they
# run alone, by `make soak-ray`. The conformance checks with their kills run with all other tests.
pytestmark = [pytest.mark.timeout(900), pytest.mark.soak]


def nodes_of(run):
    return sorted(run.executor._workers._nodes.values(), key=lambda node: node.id)


def test_a_machine_that_joins_and_leaves_in_the_middle_costs_no_cell(cluster, tmp_path, monkeypatch):
    run = ClusterRun(tmp_path, monkeypatch, cluster.address, workers=4, asked=6)
    machines = []

    def come_and_go(run):
        machines.append(cluster.add(2))
        eventually(lambda: lines(run.begun) >= 6, "fits on the machine that has joined")
        cluster.remove_node(machines[0], allow_graceful=False)
        eventually(lambda: len(run.executor._workers.ready) == 4, "the loss of two workers")
        run.go.touch()

    try:
        records = run.carry_out(come_and_go)
    finally:
        for machine in machines:
            if machine in cluster.list_all_nodes():
                cluster.remove_node(machine)
    run.assert_all_once(records)
    assert lines(run.begun) > lines(run.ended), "fits were lost with the machine"


def test_answers_of_a_machine_that_was_given_up_are_refused(cluster, tmp_path, monkeypatch):
    run = ClusterRun(tmp_path, monkeypatch, cluster.address, workers=4)
    given_up = []

    def partition(run):
        node = nodes_of(run)[0]
        given_up.extend(slot.handle for slot in node.slots)
        cut_off(run, node)
        eventually(lambda: all(handle.outcome is not None for handle in given_up), "giving up the machine")
        run.go.touch()
        # In the driver's thread, which takes in events as long as the run goes on or is asked.
        eventually(lambda: lines(run.ended) >= run.workers, "the late fits")

    # Two workers were on the machine.
    records = run.carry_out(partition, refused=2)
    assert given_up, "the machine had no worker"
    assert run.executor.refused == len(given_up)
    run.assert_all_once(records)
