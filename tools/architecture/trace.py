"""The way of one cell through the files: traced in a process of its own, on a checkout's own code.

A toy cell (backbone `toy`, task `toy-tone`, strategy `toy-tune`, three trials, one seed) is run by
`tlbench run --executor inline`, which plans it, runs it and prints its leaderboard in one process.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tools.architecture.source import source_roots


class Event(NamedTuple):
    """A function of the checkout was called or returned."""

    kind: str
    file: str
    function: str
    caller: str
    has_the_cell: bool
    """A call: the cell is among the arguments. A return: the function returns the cell and was not given it."""


class Span(NamedTuple):
    """A part of a trial: from a call of one function to the next return of another; (end of the path, name)."""

    start: tuple[str, str]
    end: tuple[str, str]


TRIALS = (
    # A driver hands an order to the executor, and tells the cell what came of it.
    (Span(("executors/inline.py", "submit"), ("running/cells/cell_run.py", "tell")),),
    # Until b807db7 a worker had the whole cell: it takes a fit, carries it out and puts it on disk; the study is told
    # after all of a generation are done.
    (
        Span(("running/performer.py", "take_one"), ("running/performer.py", "take_one")),
        Span(("running/study.py", "tell"), ("running/study.py", "tell")),
    ),
)
"""What a trial is in each layout of the code that is known; the first whose functions were called is used."""


@dataclass(frozen=True)
class Way:
    """How a cell passes from plan to board."""

    packages: tuple[str, ...]
    """Packages with a function that was given the cell or made it, each once, in the order in which they were first."""
    climbs: tuple[tuple[str, str], ...]
    """Steps to a package of a higher layer, in the sequence of calls; each pair of packages once."""
    calls_up: tuple[tuple[str, str], ...]
    """Those where a function of the lower package is the nearest caller of one of the higher: call-backs."""


def traced(checkout: Path) -> list[Event] | str:
    """Returns the events of a run on a checkout, or why there are none."""
    paths = os.pathsep.join(str(root.resolve()) for root in source_roots(checkout))
    environment = {
        **os.environ, "PYTHONPATH": paths, "TLBENCH_PLUGINS": "tlbench.testing.toy_plugin", "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "events.json"
        script = Path(__file__).with_name("toy_run.py")
        ended = subprocess.run(
            [sys.executable, "-P", str(script), str(checkout), str(output)],
            env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        if not output.exists():
            return (ended.stderr.strip().splitlines() or ["the run ended without a word"])[-1]
        return [Event(*event) for event in json.loads(output.read_text(encoding="utf-8"))]


def files_of_a_warm_trial(events: Sequence[Event]) -> list[str] | None:
    """Returns the files of which a function is called during the second trial, sorted; None if no trial is found.

    That is from the call by which the trial's order is handed to the executor until its result has been told. All is
    loaded by then, so imports are not among it. A file counts if any function in it is called, by the main thread, be
    it a property, a comprehension or the `__post_init__` of a struct; what is only read, such as a constant or a class
    without code of its own, does not count. The toys' own files count as a plugin's would.
    """
    for spans in TRIALS:
        parts = [_second(events, span) for span in spans]
        if all(parts):
            return sorted({event.file for part in parts for event in part if event.kind == "call"})
    return None


def _second(events: Sequence[Event], span: Span) -> Sequence[Event]:
    """Returns the events from the second start of a span to its end; none if it does not come twice."""
    starts = [i for i, event in enumerate(events) if event.kind == "call" and _is_of(event, span.start)]
    if len(starts) < 2:
        return ()
    start = starts[1]
    ends = (i for i in range(start, len(events)) if events[i].kind == "return" and _is_of(events[i], span.end))
    end = next(ends, None)
    return () if end is None else events[start : end + 1]


def _is_of(event: Event, function: tuple[str, str]) -> bool:
    return event.file.endswith(function[0]) and event.function == function[1]


def way_of_the_cell(events: Sequence[Event], layers: dict[str, int]) -> Way:
    """Returns the packages that a cell passes through, and where it climbs.

    A package is passed when one of its functions is given the cell as an argument (`self` aside), or returns it without
    having been given it. The cell is the `Cell`, its id (as an argument), or something that has one of them in it up to
    three objects deep, such as an order, a record or a line of the leaderboard. A climb is a step in that sequence from
    a package to one in a higher layer; one that is only the next call of a common caller is counted too. The toys stand
    for a plugin, which has no layer; so they, and what lies directly in `tlbench`, are passed but neither climbed to
    nor from.
    """
    given = [event for event in events if event.has_the_cell]
    packages = [package_of(event.file) for event in given]
    steps = dict.fromkeys(itertools.pairwise(packages))
    calls = dict.fromkeys((package_of(event.caller), package_of(event.file)) for event in given if event.caller)
    return Way(
        tuple(dict.fromkeys(packages)),
        tuple(step for step in steps if _is_up(step, layers)),
        tuple(step for step in calls if _is_up(step, layers)),
    )


def package_of(file: str) -> str:
    """Returns the dotted name of the package that a file lies in."""
    parts = Path(file).parent.parts
    return ".".join(parts[parts.index("src") + 1 :])


def _is_up(step: tuple[str, str], layers: dict[str, int]) -> bool:
    before, after = (layers.get(".".join(package.split(".")[:2])) for package in step)
    return before is not None and after is not None and after > before


def layers_of(checkout: Path) -> dict[str, int]:
    """Returns the height of each folder of the core by import-linter's contract, the lowest 0; not that of the toys."""
    settings = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings.get("tool", {}).get("importlinter", {}).get("contracts", [])
    rows: list[str] = next((contract["layers"] for contract in contracts if contract["type"] == "layers"), [])
    names = [[name.strip() for name in row.split("|")] for row in reversed(rows)]
    return {f"tlbench.{name}": height for height, row in enumerate(names) for name in row if name != "testing"}
