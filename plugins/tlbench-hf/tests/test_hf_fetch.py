"""Downloads from a hub: a local server implements the requests that a download makes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "org/name"


class Hub(ThreadingHTTPServer):
    """Serves one repository from a folder; files named in `broken` fail."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.broken: set[str] = set()
        self.served: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            self._json([self._entry(file) for file in self._files()])
        elif path.startswith(f"/api/models/{REPOSITORY}"):
            siblings = [{"rfilename": self._name(file)} for file in self._files()]
            self._json({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings, "private": False, "tags": []})
        elif path.startswith(f"/{REPOSITORY}/resolve/"):
            file = self.server.folder / path.split("/", 5)[5]
            if file.is_file():
                self._file(file)
            else:
                self._send(b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, status=404)
        else:
            self.send_error(404)

    def _files(self) -> list[Path]:
        return sorted(path for path in self.server.folder.rglob("*") if path.is_file())

    def _name(self, file: Path) -> str:
        return str(file.relative_to(self.server.folder))

    def _entry(self, file: Path) -> dict[str, object]:
        content = file.read_bytes()
        return {
            "type": "file",
            "oid": hashlib.sha1(content).hexdigest(),
            "size": len(content),
            "path": self._name(file),
        }

    def _json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self._send(body, {"Content-Type": "application/json"})

    def _file(self, file: Path) -> None:
        body = file.read_bytes()
        if self.command == "GET":
            if file.name in self.server.broken:
                self.send_error(403)
                return
            self.server.served.append(self._name(file))
        self._send(body, {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "X-Repo-Commit": COMMIT})

    def _send(self, body: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def hub(bert_folder):
    server = Hub(bert_folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def tlbench(hub, tmp_path):
    def call(*arguments: str, offline: bool = False) -> subprocess.CompletedProcess[str]:
        """Runs the command with an empty cache of its own, against this hub."""
        unset = {"HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "http_proxy", "HTTP_PROXY"}
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        environment |= {
            "HF_ENDPOINT": hub.address,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_OFFLINE": str(int(offline)),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "NO_PROXY": "127.0.0.1",
        }
        command = [sys.executable, "-m", "tlbench", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return call


def test_what_breaks_off_is_taken_up_again_and_is_then_there_offline(hub, tlbench):
    hub.broken = {"model.safetensors"}
    name = f"hf:{REPOSITORY}@main"
    first = tlbench("fetch", "-b", name)
    assert first.returncode == 2, first.stderr
    pinned = f"hf:{REPOSITORY}@{COMMIT}"
    assert f"{pinned}: failed: {pinned} is not in the local hub cache and cannot be downloaded" in first.stdout
    assert first.stderr == f"tlbench: 1 of 1 could not be fetched: {pinned}\n"
    assert {"config.json", "tokenizer.json"} <= set(hub.served), "the small files come first"

    hub.broken, hub.served = set(), []
    second = tlbench("fetch", "-b", name)
    assert second.returncode == 0, second.stdout
    assert second.stdout == f"hf:{REPOSITORY}@{COMMIT}: fetched\n"
    assert hub.served == ["model.safetensors"], "what is there is not fetched again"

    hub.served = []
    for pinned in (name, f"hf:{REPOSITORY}@{COMMIT}"):
        there = tlbench("fetch", "-b", pinned, offline=True)
        assert there.stdout == f"hf:{REPOSITORY}@{COMMIT}: on disk\n", there.stderr
    assert not hub.served
    shown = tlbench("show", f"hf:{REPOSITORY}", offline=True).stdout
    assert COMMIT in shown
    assert "bert" in shown


def test_what_others_left_out_of_the_cache_is_fetched(hub, tlbench, tmp_path):
    (hub.folder / "1_Pooling").mkdir()
    (hub.folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    snapshot = tmp_path / "home" / "hub" / f"models--{REPOSITORY.replace('/', '--')}" / "snapshots" / COMMIT
    shutil.copytree(hub.folder, snapshot, ignore=shutil.ignore_patterns("1_Pooling"))
    fetched = tlbench("fetch", "-b", f"hf:{REPOSITORY}@{COMMIT}")
    assert fetched.stdout == f"hf:{REPOSITORY}@{COMMIT}: fetched\n", fetched.stderr
    assert hub.served == ["1_Pooling/config.json"]
    assert (snapshot / "1_Pooling" / "config.json").is_file()


def test_an_adapter_is_refused_before_any_weights_are_fetched(hub, tlbench):
    (hub.folder / "adapter_config.json").write_text("{}")
    name = f"hf:{REPOSITORY}@{COMMIT}"
    failed = tlbench("fetch", "-b", name)
    assert failed.returncode == 2
    assert failed.stdout.startswith(f"{name}: failed: {name}: the folder has an adapter (adapter_config.json)")
    assert "model.safetensors" not in hub.served


def test_a_repository_that_is_not_there_is_one_line(tlbench):
    failed = tlbench("fetch", "-b", f"hf:org/other@{COMMIT}")
    assert failed.returncode == 2
    assert failed.stdout.startswith(f"hf:org/other@{COMMIT}: failed: ")
    assert failed.stdout.count("\n") == 1
