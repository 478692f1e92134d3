"""Rehearses the nightly job: a first night, one with a planted regression and noise, and one without."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.nightly.nights import read_nights
from tools.nightly.one_night import REGRESSION, SUCCESS, Call, Job, hold, tlbench
from tools.nightly.rehearsal.planted import SWITCH

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = "TLBENCH_PLUGINS"
_COMMITS = ("a" * 12, "b" * 12, "c" * 12)


@dataclass(frozen=True)
class Rehearsal:
    """A suite of the rehearsal, and the plugins that it needs."""

    suite: str
    plugins: tuple[str, ...]


FULL = Rehearsal("rehearsal", ("tools.nightly.rehearsal.planted",))
QUICK = Rehearsal("rehearsal-quick", (*FULL.plugins, "tlbench.testing.toy_plugin"))


def rehearse(folder: Path, what: Rehearsal, call: Call = tlbench) -> int:
    """Holds three nights in a folder and returns 0 if each ends as it must, else 1 with a line for each that does not.

    The status of a night that could not be held is returned as it is.

    The second night has a planted regression in some rows, which must be found, and noise in others, which must not.
    The third night is like the first: it must pass, as it is compared with the last good night.
    """
    faults = []
    job = Job(what.suite, folder / "nights", folder / "site", ("--jobs", "2"))
    for commit, switch, expected in zip(_COMMITS, ("", "planted", ""), (SUCCESS, REGRESSION, SUCCESS), strict=True):
        began = time.monotonic()
        # Workers are processes that do not import from the current folder.
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        with _environment({SWITCH: switch, PLUGINS: ",".join(what.plugins), "PYTHONPATH": path}):
            status = hold(job, commit, call)
        print(f"{commit}: exit status {status} after {time.monotonic() - began:.0f} s", flush=True)
        if status not in (SUCCESS, REGRESSION):
            return status
        if status != expected:
            faults.append(f"{commit}: the exit status is {status} and not {expected}")
        faults += _faults_of_page(folder, switch == "planted")
    against = [night.finding.against for night in read_nights(job.nights)]
    if against[1:] != [f"0001-{_COMMITS[0]}"] * 2:
        faults.append(f"the nights were compared with {', '.join(against[1:])}")
    print("\n".join(faults) or f"The rehearsal went as it must; its pages are in {folder / 'site'}", flush=True)
    return 1 if faults else 0


def _faults_of_page(folder: Path, is_planted: bool) -> list[str]:
    """Returns what the pages of a night show wrongly."""
    lines = (folder / "site" / "index.html").read_text(encoding="utf-8").splitlines()
    found = [line for line in lines if line.startswith('<tr class="bad">') and "planted=" in line]
    issue = (folder / "site" / "issue.md").is_file()
    if not is_planted:
        return [f"the page shows a regression that was not planted: {line}" for line in found] + ["an issue"] * issue
    faults = [f"the page shows noise as a regression: {line}" for line in found if "planted=noise" in line]
    if not any("planted=regression" in line for line in found):
        faults.append("the page does not show the planted regression")
    return faults if issue else [*faults, "there is no text for an issue"]


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
