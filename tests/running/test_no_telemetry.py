"""Nothing is sent anywhere: no command of a whole use of tlbench so much as looks up an address.

Attempts are written to a file and refused, so that one whose error is swallowed, as telemetry does, is found too.
"""

import os
import subprocess
import sys

import pytest

GUARD = """
import os, sys

REFUSED = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}
LOG = os.environ["TEST_ATTEMPTS"]

def note(text):
    with open(LOG, "a") as file:
        file.write(f"{text}\\n")

def audit(event, args):
    if event in REFUSED:
        if event != "socket.getaddrinfo" and getattr(args[0], "family", None) is not None:
            if args[0].family.name == "AF_UNIX":
                return
        note(f"ATTEMPT {event} {args[1:]}")
        raise ConnectionError(f"a socket was used: {event}")

note(f"guarded {os.getpid()}")
os.register_at_fork(after_in_child=lambda: note(f"guarded {os.getpid()}"))
sys.addaudithook(audit)
"""


@pytest.fixture
def guarded(tmp_path):
    """Runs a program whose processes, workers too, note and refuse all use of the network; returns their notes."""
    (tmp_path / "guard").mkdir()
    # Python imports this module in every process that it starts.
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    log = tmp_path / "attempts"
    inherited = {
        name: value
        for name, value in os.environ.items()
        # Trackers, the hub and opt-outs as a user has them who set nothing.
        if not name.startswith(("WANDB", "MLFLOW", "HF_", "HUGGINGFACE", "DO_NOT_TRACK", "TRANSFORMERS"))
    }
    path = os.pathsep.join([str(tmp_path / "guard"), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    environment = {**inherited, "PYTHONPATH": path, "TEST_ATTEMPTS": str(log), "HF_HOME": str(tmp_path / "hub")}
    environment |= {"TLBENCH_PLUGINS": "tlbench.testing.toy_plugin", "TLBENCH_CACHE": str(tmp_path / "cache")}

    def run(*arguments):
        log.write_text("")
        done = subprocess.run(
            [sys.executable, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        return done, log.read_text().splitlines()

    return run


def test_the_guard_finds_an_attempt_whose_error_is_swallowed(guarded):
    code = """
import socket, urllib.request
for attempt in (lambda: socket.create_connection(("192.0.2.1", 9), 1), lambda: urllib.request.urlopen("http://x.test")):
    try:
        attempt()
    except OSError:
        pass
"""
    done, noted = guarded("-c", code)
    assert done.returncode == 0
    assert sum(line.startswith("ATTEMPT") for line in noted) >= 2


def test_no_command_uses_the_network(guarded, tmp_path):
    toy = ("-t", "toy-tone", "-b", "toy", "-S", "toy-fit")
    commands = (
        ("run", *toy, "--trials", "2", "--seeds", "2", "--jobs", "1", "--out", "out"),
        ("leaderboard", "--out", "out", "--to", "report"),
        ("list",),
        ("version",),
        ("submit", "--out", "out", "--to", "sent.zip"),
        ("verify", "sent.zip"),
    )
    for command in commands:
        done, noted = guarded("-m", "tlbench", *command)
        assert done.returncode == 0, (command, done.stderr)
        assert not [line for line in noted if line.startswith("ATTEMPT")], command
        if command[0] == "run":
            # The driver, and at least one worker.
            assert len(set(noted)) >= 2
    assert not (tmp_path / "hub").exists()
