"""`tlbench plugin check`: a line for each conformance check, what to fix, and the exit status."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from tlbench.catalog.catalog import Catalog
from tlbench.cli.plugin.check_run import Check, run_checks
from tlbench.cli.plugin.plugin_facts import distribution_of
from tlbench.cli.plugin.plugin_texts import printable_line
from tlbench.contracts.errors import UsageError
from tlbench.results.render.escaping import printable

_LONGEST_REASON = 2000
_SHOWN = {"passed": "pass", "skipped": "skip", "failed": "fail"}


def check_plugins(asked: Sequence[str], as_json: bool, with_traceback: bool) -> bool:
    """Runs the checks, prints their outcomes as they come, and returns whether none failed.

    Raises:
        UsageError: There is no such plugin, or the folder is of none and none was asked for.
    """
    catalog = Catalog.discover()
    known = sorted({one.distribution for one in catalog.plugins} | {distribution_of(one) for one in catalog.broken})
    targets = tuple(dict.fromkeys(asked or [_of_this_folder(known)]))
    for target in targets:
        _check_target(catalog, target, known)
    found: list[Check] = []
    for check in run_checks(targets):
        found.append(check)
        if not as_json:
            _print_check(check)
    if not found:
        raise UsageError(f"{', '.join(targets)}: there is nothing to check")
    counts = {result: sum(check.result == result for check in found) for result in _SHOWN}
    if as_json:
        print(json.dumps({"format": 1, **counts, "checks": [asdict(check) for check in found]}, indent=1))
    else:
        _print_failures([check for check in found if check.result == "failed"], with_traceback)
        print(f"{', '.join(targets)}: {', '.join(f'{n} {result}' for result, n in counts.items())}")
    return counts["failed"] == 0


def _check_target(catalog: Catalog, target: str, known: Sequence[str]) -> None:
    distribution, _, name = target.partition("/")
    if distribution not in known:
        raise UsageError(f"no plugin of {distribution!r} is installed; there are {', '.join(known)}")
    brought = sorted({one.name for one in catalog.discovery.entries if one.distribution == distribution})
    if name and name not in brought:
        raise UsageError(f"{distribution} brings no {name!r}; it brings {', '.join(brought) or 'nothing'}")


def _of_this_folder(known: Sequence[str]) -> str:
    """Returns the name of the project in the current folder."""
    try:
        name = str(tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"say which plugin to check: one of {', '.join(known)}") from None
    if name not in known:
        raise UsageError(f"the project of this folder, {name}, is not installed as a plugin: pip install -e .")
    return name


def _print_check(check: Check) -> None:
    reason = f": {printable(check.reason)}" if check.result == "skipped" else ""
    print(f"{_SHOWN[check.result]}  {check.kind:<9} {printable(check.name)}  {check.check}{reason}", flush=True)


def _print_failures(failed: Iterable[Check], with_traceback: bool) -> None:
    for check in failed:
        print(f"\n{check.kind} {printable(check.name)}: {check.check}")
        parts = (("wrong", check.reason), ("must hold", check.holds), ("why", check.why), ("mend", check.mend))
        for label, text in parts:
            if text:
                print(f"  {label:<10} {printable(' '.join(text.split()), _LONGEST_REASON)}")
        if with_traceback:
            print("\n".join(f"    {printable_line(line)}" for line in check.traceback.splitlines()))
