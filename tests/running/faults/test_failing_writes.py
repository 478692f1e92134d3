"""Full, broken and read-only disks, folders that go, clocks that jump, other users: survived, or one line says it."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.running.conftest import Runs, essence
from tests.running.faults.failing_writes import failing_writes
from tlbench.cli.app import _main
from tlbench.contracts.errors import StoreError
from tlbench.testing.toys import ToyFit, ToyMajority

WHAT = {"trials": 2, "seeds": 1}
STRATEGY = "toy-fit"


@pytest.fixture
def calm(tmp_path, runs):
    return Runs(tmp_path / "calm").one(STRATEGY, **WHAT)


def run_with_a_failing_write(runs, number, code, monkeypatch):
    """Runs a cell while one write call fails, and then without; returns what failed and the record."""
    shutil.rmtree(runs.folder, ignore_errors=True)
    with failing_writes(runs.folder, number, code, monkeypatch) as faults:
        try:
            runs.one(STRATEGY, **WHAT)
            ended = ""
        except StoreError as error:
            ended = str(error)
    assert "\n" not in ended
    attempts = sorted(runs.store.attempts().values()) if (runs.folder / "tlbench.json").exists() else []
    assert attempts in ([], [1])
    return faults.failed, runs.one(STRATEGY, **WHAT)


def check_writes(runs, calm, codes, step, monkeypatch):
    failed, number = [], 0
    while True:
        what, record = run_with_a_failing_write(runs, number, codes[number % len(codes)], monkeypatch)
        assert record.status == "ok", f"{what}: {record.reason}"
        assert essence(record) == essence(calm), what
        assert record.attempt == 1, f"{what} was recorded as a failure"
        if not what:
            return failed
        failed.append(what)
        number += step


CODES = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT]


def test_a_failure_of_a_write_call_is_survived(runs, calm, monkeypatch):
    assert len(check_writes(runs, calm, CODES, 6, monkeypatch)) > 5


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.get)
def test_a_failure_of_every_write_call_is_survived(runs, calm, monkeypatch, code):
    failed = check_writes(runs, calm, [code], 1, monkeypatch)
    print(f"{errno.errorcode[code]}: {len(failed)} write calls failed, one after the other")
    assert len(failed) > 30


def test_a_results_folder_that_goes_during_a_run_ends_it_in_one_line(runs, monkeypatch, capsys):
    fit = ToyMajority.fit

    def removing(self, job):
        shutil.rmtree(runs.folder)
        return fit(self, job)

    monkeypatch.setattr(ToyMajority, "fit", removing)
    arguments = ["run", "-t", "toy-tone", "-S", "toy-majority", "--device", "cpu", "--executor", "inline"]
    assert _main([*arguments, "--out", str(runs.folder)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "could not store" in said
    monkeypatch.setattr(ToyMajority, "fit", fit)
    assert _main([*arguments, "--out", str(runs.folder)]) == 0


@pytest.mark.parametrize("jump", [-400 * 86400.0, 400 * 86400.0])
def test_a_clock_that_jumps_costs_a_cell_no_time(runs, monkeypatch, jump):
    """The clock of the machine jumps by a year in the middle of a cell, which is then interrupted and resumed."""
    from tlbench.running.cells.final_fits import FinalFits

    clock = time.time
    fit = ToyFit.fit

    def jumping(self, job):
        monkeypatch.setattr(time, "time", lambda: clock() + jump)
        return fit(self, job)

    def killed(self, *arguments):
        for path in (runs.folder / "work").glob("*/*.json"):
            os.utime(path, (clock() + jump, clock() + jump))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ToyFit, "fit", jumping)
        patch.setattr(FinalFits, "check", killed)
        with pytest.raises(KeyboardInterrupt):
            runs.one(STRATEGY, **WHAT, max_seconds=3600.0)
    record = runs.one(STRATEGY, **WHAT, max_seconds=3600.0)
    assert record.status == "ok", record.reason
    assert 0 < record.seconds.total < 3600


def test_files_of_another_version_count_as_missing(runs, calm):
    """Work that a newer version left has fields that this one does not know, and is made again."""
    import msgspec

    from tests.running.faults.damage import interrupted_before
    from tlbench.system.integrity.sealed_json import sealed, unsealed

    interrupted_before(runs.folder, "scoring")
    for path in (runs.folder / "work").glob("*/*.json"):
        value = msgspec.json.decode(unsealed(path.read_bytes()))
        newer = {**value, "colour": "red"} if isinstance(value, dict) else [{**one, "colour": "red"} for one in value]
        path.write_bytes(sealed(msgspec.json.encode(newer)))
    assert runs.one("toy-tune", trials=3, seeds=2).status == "ok"


OTHER_USER = """
import os, sys
from pathlib import Path
import numpy as np
from tlbench.modeling.disk.cache_folder import sweep
from tlbench.modeling.disk.disk_cache import DiskCache
os.setgid(65534)
os.setuid(65534)
folder = Path(sys.argv[1])
cache = DiskCache(folder, 2**30)
arrays = cache.arrays("tokens", {"data": "mine"}, lambda: {"x": np.arange(9)})
assert arrays["x"].tolist() == list(range(9))
entry = cache.find("tokens", {"data": "theirs"})
assert (entry is None) == (sys.argv[2] == "hidden"), entry
DiskCache(folder, 10).arrays("tokens", {"data": "more"}, lambda: {"x": np.arange(99)})
sweep(folder)
print("fine")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(("mode", "file_mode"), [(0o755, 0o644), (0o777, 0o644), (0o1777, 0o600), (0o700, 0o644)])
def test_two_users_share_a_cache_or_do_without(tmp_path_factory, mode, file_mode):
    import numpy as np

    from tlbench.modeling.disk.disk_cache import DiskCache

    folder = tmp_path_factory.mktemp("cache")
    # The other user has to pass through pytest's own folders.
    for path in folder.parents:
        if path != Path(tempfile.gettempdir()) and path.is_relative_to(tempfile.gettempdir()):
            path.chmod(0o755)
    DiskCache(folder, 2**30).arrays("tokens", {"data": "theirs"}, lambda: {"x": np.arange(5)})
    (file,) = folder.glob("*.safetensors")
    file.chmod(file_mode)
    folder.chmod(mode)
    hidden = "hidden" if file_mode == 0o600 or mode == 0o700 else "seen"
    done = subprocess.run(
        [sys.executable, "-c", OTHER_USER, str(folder), hidden], capture_output=True, text=True, check=False
    )
    assert done.stdout == "fine\n", done.stderr
