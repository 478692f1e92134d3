"""python -m tools.release.try_wheels DIST: tries each wheel alone in a clean environment, and the start of the README.

Minutes, and the registry: every distribution gets an environment with what it declares and nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.release.clean_environment import CleanEnvironment, resolved_environment
from tools.release.distributions import ROOT, Distribution, distributions

REVIEWS = 30
"""Rows of each class in the table that is tried."""
_TASK = "csv:reviews.csv[text=review,label=stars]"
_QUICK = ("-b", "minilm-l6", "-S", "majority", "-S", "linear-probe")
START = (
    ("run", "-t", _TASK, *_QUICK),
    ("leaderboard",),
    ("list",),
    ("plan", "--suite", "glue-lite"),
    ("check", _TASK),
    ("find", _TASK, "--minutes", "3", *_QUICK),
)
"""The first commands of a user with a table of their own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a line for each distribution; returns 1 if one fails."""
    parser = argparse.ArgumentParser(prog="python -m tools.release.try_wheels", description=__doc__)
    parser.add_argument("dist", type=Path, help="the folder with the wheels")
    parser.add_argument("--only", action="append", metavar="NAME", help="a distribution; repeatable")
    parser.add_argument("--uv", default="uv")
    options = parser.parse_args(arguments)
    failed = 0
    for one in distributions():
        if options.only and one.name not in options.only:
            continue
        with tempfile.TemporaryDirectory(prefix="tlbench-wheel-") as folder:
            root = Path(folder)
            environment = resolved_environment(
                root / "env", [one.name], options.dist, ROOT / "constraints.txt", options.uv
            )
            fault = fault_alone(environment, one, root)
        print(f"{one.name}: {fault or 'installs and works alone'}", flush=True)
        failed += bool(fault)
    if not options.only or "tlbench[text]" in options.only:
        with tempfile.TemporaryDirectory(prefix="tlbench-wheel-") as folder:
            root = Path(folder)
            environment = resolved_environment(
                root / "env", ["tlbench[text]"], options.dist, ROOT / "constraints.txt", options.uv
            )
            fault = fault_of_start(environment, root)
        print(f"tlbench[text]: {fault or 'the start of the README works'}", flush=True)
        failed += bool(fault)
    return 1 if failed else 0


def fault_alone(environment: CleanEnvironment, one: Distribution, root: Path) -> str:
    """Returns what is wrong with a distribution that is installed alone; empty if nothing is."""
    version = environment.run("tlbench", "version", "--json", cwd=root)
    if version.returncode:
        return f"tlbench version: {version.stderr.strip()[-300:]}"
    listed = environment.run("tlbench", "list", "--json", cwd=root)
    if listed.returncode:
        return f"tlbench list: {listed.stderr.strip()[-300:]}"
    content = json.loads(listed.stdout)
    if content["broken"]:
        return f"broken: {content['broken']}"
    if one.name not in {plugin["name"] for plugin in content["plugins"]}:
        return "tlbench does not find it"
    kinds = [kind for kind in content.values() if isinstance(kind, list)]
    if error := next((entry["error"] for kind in kinds for entry in kind if entry.get("error")), ""):
        return f"an object of it fails: {error}"
    missing = environment.run("tlbench", "run", "-t", "sst2-lite", "-b", "minilm-l6", "-S", "linear-probe", cwd=root)
    if missing.returncode not in {0, 2} or (missing.returncode == 2 and missing.stderr.count("\n") != 1):
        return f"what is missing is not said in one line: {missing.stderr.strip()[-300:]}"
    return ""


def fault_of_start(environment: CleanEnvironment, root: Path, commands: Sequence[tuple[str, ...]] = START) -> str:
    """Returns what fails of a user's first commands on a table of their own; empty if nothing does."""
    good, bad = "a warm and funny film", "a dull and empty story"
    rows = [f"{text} number {i},{stars}" for i in range(REVIEWS) for text, stars in ((good, "five"), (bad, "one"))]
    (root / "reviews.csv").write_text("\n".join(["review,stars", *rows]) + "\n")
    for command in commands:
        done = environment.run("tlbench", *command, cwd=root)
        if done.returncode:
            return f"tlbench {' '.join(command)}: status {done.returncode}: {done.stderr.strip()[-500:]}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
