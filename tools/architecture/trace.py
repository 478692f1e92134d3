"""Traces one cell through the packages of a checkout, in a separate process that runs the checkout's code.

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
    """A call or a return of a function of the checkout."""

    kind: str
    file: str
    function: str
    caller: str
    has_cell: bool
    """Of a call: the cell is an argument. Of a return: the cell is returned and was no argument."""


class Span(NamedTuple):
    """A part of a trial, from a call of `start` to the next return of `end`; functions are (end of the path, name)."""

    start: tuple[str, str]
    end: tuple[str, str]


TRIALS = (
    # The driver submits an order to the executor and passes its result to the cell.
    (Span(("executors/inline.py", "submit"), ("running/cells/cell_run.py", "tell")),),
    # Until b807db7 a worker had the whole cell: it took a fit, ran it and wrote it to disk; the study got the results
    # of a generation together.
    (
        Span(("running/performer.py", "take_one"), ("running/performer.py", "take_one")),
        Span(("running/study.py", "tell"), ("running/study.py", "tell")),
    ),
)
"""The spans of a trial in each known layout of the code; the first layout whose functions were called is used."""


@dataclass(frozen=True)
class CellPath:
    """The path of a cell from plan to leaderboard."""

    packages: tuple[str, ...]
    """Packages with a function that takes or creates the cell, once each, in order of first occurrence."""
    climbs: tuple[tuple[str, str], ...]
    """Steps to a package of a higher layer in the sequence of calls, each pair of packages once."""
    calls_up: tuple[tuple[str, str], ...]
    """Calls of a function of a higher layer from a lower one (callbacks), each pair of packages once."""


def traced(checkout: Path) -> list[Event] | str:
    """Returns the events of a run of a checkout, or the reason why there are none."""
    paths = os.pathsep.join(str(root.resolve()) for root in source_roots(checkout))
    environment = {
        **os.environ, "PYTHONPATH": paths, "TLBENCH_PLUGINS": "tlbench.testing.toy_plugin", "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "events.json"
        script = Path(__file__).with_name("toy_run.py")
        process = subprocess.run(
            [sys.executable, "-P", str(script), str(checkout), str(output)],
            env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        # The last line of a traceback is its message.
        if not output.exists():
            return (process.stderr.strip().splitlines() or ["the run ended without a message"])[-1]
        return [Event(*event) for event in json.loads(output.read_text(encoding="utf-8"))]


def warm_trial_files(events: Sequence[Event]) -> list[str] | None:
    """Returns the sorted files with a function that is called during the second trial; None if there is no such trial.

    Files of installed plugins, such as trackers that are told of every fit, do not count: which are installed differs
    between checkouts. The toys, which take the place of a plugin, do.

    A trial lasts from the submission of its order to the processing of its result. The second one is measured, since by
    then all modules are imported. Any function in the main thread counts, including properties, comprehensions and
    `__post_init__`; reading constants and creating classes without code does not.
    """
    for spans in TRIALS:
        parts = [_second(events, span) for span in spans]
        if all(parts):
            calls = [event.file for part in parts for event in part if event.kind == "call"]
            return sorted({file for file in calls if file.startswith("src/")})
    return None


def _second(events: Sequence[Event], span: Span) -> Sequence[Event]:
    """Returns the events from the second start of a span to its end; none if there are less than two."""
    starts = [i for i, event in enumerate(events) if event.kind == "call" and _is_of(event, span.start)]
    if len(starts) < 2:
        return ()
    start = starts[1]
    ends = (i for i in range(start, len(events)) if events[i].kind == "return" and _is_of(events[i], span.end))
    end = next(ends, None)
    return () if end is None else events[start : end + 1]


def _is_of(event: Event, function: tuple[str, str]) -> bool:
    return event.file.endswith(function[0]) and event.function == function[1]


def cell_path(events: Sequence[Event], layers: dict[str, int]) -> CellPath:
    """Returns the packages through which the cell passes, and its steps to higher layers.

    The cell passes through a package when one of its functions takes the cell as an argument (other than `self`), or
    creates and returns it. "The cell" is the `Cell`, its id (as an argument), or an object that contains one of these,
    at most three objects deep, such as an order, a record or a row of the leaderboard. A climb is a step in this
    sequence to a higher layer, even if both functions are called by a third one. Installed plugins do not count, as in
    `warm_trial_files`. The toys and modules directly in `tlbench` have no layer, so no climbs lead to or from them.
    """
    with_cell = [event for event in events if event.has_cell and event.file.startswith("src/")]
    packages = [package_of(event.file) for event in with_cell]
    steps = dict.fromkeys(itertools.pairwise(packages))
    calls = dict.fromkeys((package_of(event.caller), package_of(event.file)) for event in with_cell if event.caller)
    return CellPath(
        tuple(dict.fromkeys(packages)),
        tuple(step for step in steps if _is_up(step, layers)),
        tuple(step for step in calls if _is_up(step, layers)),
    )


def package_of(file: str) -> str:
    """Returns the dotted name of the package that contains a file."""
    parts = Path(file).parent.parts
    return ".".join(parts[parts.index("src") + 1 :])


def _is_up(step: tuple[str, str], layers: dict[str, int]) -> bool:
    before, after = (layers.get(".".join(package.split(".")[:2])) for package in step)
    return before is not None and after is not None and after > before


def layers_of(checkout: Path) -> dict[str, int]:
    """Returns the layer of each folder of the core in import-linter's contract, from 0; `testing` has none."""
    settings = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings.get("tool", {}).get("importlinter", {}).get("contracts", [])
    rows: list[str] = next((contract["layers"] for contract in contracts if contract["type"] == "layers"), [])
    names = [[name.strip() for name in row.split("|")] for row in reversed(rows)]
    return {f"tlbench.{name}": height for height, row in enumerate(names) for name in row if name != "testing"}
