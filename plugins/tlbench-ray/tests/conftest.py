"""A Ray cluster of two machines, which are processes on this one."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

ATTEMPTS = 5
"""Ray gives a machine 30 seconds to start, which may be too few where others use the cores."""
LISTEN = "dashboard_agent_listen_port"
PORTS = ("metrics_agent_port", "metrics_export_port", "runtime_env_agent_port", LISTEN)


class Machines:
    """A cluster to which machines are added, and from which they are removed."""

    def __init__(self, cluster_utils):
        # A short path, since the path of a socket has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="ray-"))
        # Ray writes the cluster's address into a folder of this one, which it does not create.
        (self.folder / "ray").mkdir()
        self._environment = pytest.MonkeyPatch()
        self._environment.setenv("RAY_TMPDIR", str(self.folder))
        # Ray would set a handler of SIGTERM for each machine, which only the main thread may do.
        self._environment.setattr("ray._private.utils.set_sigterm_handler", lambda handler: None)
        self._cluster = cluster_utils.Cluster()
        self.remove_node, self.list_all_nodes = self._cluster.remove_node, self._cluster.list_all_nodes

    @property
    def address(self):
        return self._cluster.address

    def add(self, number, cpus=2):
        """Adds a machine that has as little as a machine of Ray can have, and returns it."""
        for attempt in range(1, ATTEMPTS + 1):
            nodes, children = list(self.list_all_nodes()), psutil.Process().children(recursive=True)
            try:
                return self._added(number, cpus)
            except Exception:
                # It may still join, later than Ray waits for it, as a machine that no test knows of.
                for node in list(self.list_all_nodes()):
                    if node not in nodes:
                        self.remove_node(node, allow_graceful=False)
                for process in psutil.Process().children(recursive=True):
                    if process not in children:
                        with suppress(psutil.Error):
                            process.kill()
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError

    def _added(self, number, cpus):
        node, ports, started = secrets.token_hex(28), free_ports(), threading.Event()
        watcher = threading.Thread(target=self._tell_port, args=(node, ports[LISTEN], started))
        watcher.start()
        try:
            added = self._cluster.add_node(
                num_cpus=cpus, num_gpus=0, object_store_memory=80_000_000, resources={f"machine-{number}": 1},
                include_dashboard=False, temp_dir=str(self.folder),
                env_vars={"RAY_OVERRIDE_NODE_ID_FOR_TESTING": node}, **ports,
            )  # fmt: skip
            self._cluster.wait_for_nodes()
            return added
        finally:
            started.set()
            watcher.join()

    def _tell_port(self, node, port, started):
        """Writes the port of a machine's agent where Ray looks for it.

        Ray gives up after 15 seconds if the agent itself has not yet done so, although nothing here uses it.
        """
        while not started.wait(0.05):
            for session in self.folder.glob("session_[0-9]*"):
                with suppress(OSError):
                    path = session / f"{LISTEN}_{node}"
                    if not path.exists():
                        path.write_text(str(port))

    def shutdown(self):
        """Ends all machines."""
        self._cluster.shutdown()
        self._environment.undo()
        shutil.rmtree(self.folder, ignore_errors=True)


def free_ports():
    """Returns ports of this machine that nothing uses, for a machine's agents."""
    sockets = [socket.socket() for _ in PORTS]
    try:
        for one in sockets:
            one.bind(("", 0))
        return {name: one.getsockname()[1] for name, one in zip(PORTS, sockets, strict=True)}
    finally:
        for one in sockets:
            one.close()


@pytest.fixture(scope="session")
def cluster():
    """A cluster of two machines with two CPUs each: the suite starts one executor beside another."""
    # Ray reads them when it is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DISABLE_IMPORT_WARNING", "1")
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="ray is not installed: pip install ray")
    import ray

    machines = Machines(cluster_utils)
    try:
        try:
            for number in (0, 1):
                machines.add(number)
        except Exception as error:
            # Ray's own limits of 15 and 30 seconds, after several attempts.
            pytest.skip(f"Ray does not start on this machine: {' '.join(str(error).split())[:300]}")
        yield machines
    finally:
        ray.shutdown()
        machines.shutdown()
