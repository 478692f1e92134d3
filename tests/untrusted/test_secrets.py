"""Passwords and tokens of the environment and in addresses appear in no record, log, message or page."""

import io
import logging
import subprocess
import sys

import pytest

from tlbench.cli.app import _main
from tlbench.contracts.untrusted import redaction
from tlbench.contracts.untrusted.redaction import RedactedStream, secrets_among, without_secrets
from tlbench.contracts.untrusted.visible_text import printable
from tlbench.running.cells.failures import CellFailed
from tlbench.running.fitting.fit_status import status_of
from tlbench.running.monitoring.run_log import logged

SECRETS = {
    "HF_TOKEN": "hf_AbCdEfGhIjKlMnOpQrStUv",
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "DATABASE_URL": "postgresql://me:pass-word-1@db.example/x",
    "MLFLOW_TRACKING_PASSWORD": "correct horse battery",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCY",
    "MY_SERVICE_CREDENTIALS": "user-and-more",
}


@pytest.fixture
def environment(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    redaction.secrets_in_environment.cache_clear()
    yield
    redaction.secrets_in_environment.cache_clear()


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("text", ["{}", "cannot reach the server with {}: 401", "a\n{}\nb", "x={};y", "'{}'"])
def test_values_of_the_environment(environment, secret, text):
    assert secret not in without_secrets(text.format(secret))
    assert secret not in printable(text.format(secret))


ADDRESSES = {
    "https://user:pass-word@host.example/x": "https://***@host.example/x",
    "postgresql+psycopg://u:p%40ss@db:5432/optuna": "postgresql+psycopg://***@db:5432/optuna",
    "mongodb://u@h": "mongodb://***@h",
    "https://h/x?token=abcdef&page=2": "https://h/x?token=***&page=2",
    "https://h/x?page=2&access_token=abcdef": "https://h/x?page=2&access_token=***",
    "https://h/x?X-Amz-Signature=abc&X-Amz-Credential=def": "https://h/x?X-Amz-Signature=***&X-Amz-Credential=***",
    "https://h/x?api_key=abc#top": "https://h/x?api_key=***#top",
    "Authorization: Bearer abcdefghijkl": "Authorization: Bearer ***",
    "token hf_AbCdEfGhIjKlMnOpQr.": "token ***.",
    "ghp_0123456789abcdefghij0": "***",
}


@pytest.mark.parametrize(("text", "expected"), ADDRESSES.items())
def test_what_looks_like_a_secret(text, expected):
    assert without_secrets(text) == expected


ORDINARY = (
    "https://example.org/scores?page=2", "hf:org/name@0123456789abcdef0123456789abcdef01234567", "me@example.org",
    "csv:/data/a@0123456789ab", "linear-probe[lr=0.1]", "keys=3; monkey=4", "task?", "a@b://c", "tokens: 128",
)  # fmt: skip


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_texts_stay_as_they_are(text):
    assert without_secrets(text) == text


def test_which_variables_are_secrets():
    ordinary = {"TOKENIZERS_PARALLELISM": "false-or-true", "HOME": "/home/me-and-more", "KEYBOARD": "qwertyuiop"}
    paths = {"GOOGLE_APPLICATION_CREDENTIALS": "/home/me/key.json", "MY_TOKEN": "short"}
    assert secrets_among({**ordinary, **paths}) == ()
    assert set(secrets_among(SECRETS)) == set(SECRETS.values())


def test_what_a_fit_fails_with(environment):
    secret = SECRETS["DATABASE_URL"]
    with pytest.raises(RuntimeError, match="refused") as caught:
        raise RuntimeError(f"{secret} refused")
    assert "pass-word-1" not in "".join(status_of(caught.value))
    failure = CellFailed("failed", f"no {secret}", f"Traceback\n{secret}")
    assert "pass-word-1" not in failure.reason + failure.traceback


def test_logs(environment, tmp_path):
    with logged(tmp_path, "0123abcd") as path:
        logging.getLogger("tlbench").warning("no answer from %s", SECRETS["DATABASE_URL"])
        logging.getLogger("tlbench").warning("with %s", SECRETS["HF_TOKEN"])
    assert "no answer from ***" in path.read_text()
    assert not [secret for secret in SECRETS.values() if secret in path.read_text()]


def test_what_workers_print(environment):
    written = io.StringIO()
    print("with", SECRETS["WANDB_API_KEY"], file=RedactedStream(written))
    assert written.getvalue() == "with ***\n"


def test_the_line_of_an_error(environment, capsys):
    assert _main(["plan", "-t", f"csv:{SECRETS['MLFLOW_TRACKING_PASSWORD']}", "-S", "majority"]) == 2
    assert _main(["show", "hf:https://user:pass-word@host/x"]) == 2
    said = capsys.readouterr().err
    assert not [secret for secret in (*SECRETS.values(), "pass-word") if secret in said]


PLUGIN = '''
import os
from tlbench import hookimpl
from tlbench.testing.toys import ToyFit

class Tells(ToyFit):
    """Prints its secrets, and raises them."""
    name = "tells"

    def fit(self, job):
        secrets = " ".join(os.environ[name] for name in os.environ["SECRETS"].split())
        print("stdout", secrets)
        raise RuntimeError("refused: " + secrets)

@hookimpl
def tlbench_strategies():
    return [Tells()]
'''


def test_a_strategy_that_fails_with_secrets_leaves_none_behind(tmp_path, monkeypatch):
    """In a process of its own, with workers: every file that the run leaves, and all that it prints, is searched."""
    (tmp_path / "tells.py").write_text(PLUGIN)
    for name, value in {
        **SECRETS,
        "SECRETS": " ".join(SECRETS),
        "TLBENCH_PLUGINS": "tlbench.testing.toy_plugin,tells",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", ":".join([str(tmp_path), *filter(None, sys.path)]))
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    command = ["run", "-t", "toy-tone", "-b", "toy", "-S", "tells", "--trials", "1", "--seeds", "1", "--no-baseline"]
    out = tmp_path / "out"
    ended = subprocess.run(
        [sys.executable, "-m", "tlbench", *command, "--jobs", "1", "--device", "cpu", "--out", str(out)],
        capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    left = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    left |= {"stdout": ended.stdout.encode(), "stderr": ended.stderr.encode()}
    assert any(b"refused: ***" in content for name, content in left.items() if name.startswith("records/"))
    found = [(name, of) for name, content in left.items() for of, one in SECRETS.items() if one.encode() in content]
    assert found == []
    assert b"stdout ***" in left["work/workers.log"]
