"""A PostgreSQL server for the tests, from Debian's packages, in a folder of its own."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[3] / "tools/services.sh"
PASSWORD = "a-secret-word"


class Server:
    """A server that can be killed and started again."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://tlbench:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def start(self):
        return self._call("start-postgres", str(self.port))

    def kill(self):
        """Kills it with SIGKILL."""
        return self._call("kill-postgres")

    def stop(self):
        return self._call("stop-postgres")

    def _call(self, action, *more):
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        command = [SERVICES, action, self.folder, *more]
        # To files and not to pipes, which the server would keep open.
        with (self.folder / "services.log").open("a") as log:
            return subprocess.run(command, env=environment, stdout=log, stderr=log, check=False).returncode


@pytest.fixture(scope="session")
def server():
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    if os.geteuid() != 0:
        pytest.skip("starting PostgreSQL as its own user takes root")
    if not shutil.which("pg_ctlcluster"):
        pytest.skip("PostgreSQL is not installed (tools/services.sh install)")
    # Not below pytest's folder, which its user may not enter.
    folder = Path("/tmp") / f"tlbench-postgres-{os.getpid()}"
    folder.mkdir(mode=0o755)
    server = Server(folder)
    try:
        if server.start() != 0:
            pytest.skip(f"PostgreSQL does not start here: {(folder / 'services.log').read_text()[-500:]}")
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def database(server):
    """The server with no claims of earlier tests."""
    import psycopg

    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS tlbench_claims, tlbench_drivers")
    return server
