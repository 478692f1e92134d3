"""`tlbench plugin check`: a line for each conformance check, what to mend, and the exit status."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from tlbench.catalog.catalog import Catalog
from tlbench.cli.plugin.plugin_facts import distribution_of
from tlbench.contracts.errors import UsageError
from tlbench.results.render.escaping import printable
from tlbench.testing.checking.check_run import Check, run_checks

_SHOWN = {"passed": "pass", "skipped": "skip", "failed": "fail"}


def check_plugins(asked: str | None, as_json: bool, with_traceback: bool) -> bool:
    """Runs the checks, prints their outcomes as they come, and returns whether none failed.

    Raises:
        UsageError: There is no such plugin, or the folder is of none and none was asked for.
    """
    catalog = Catalog.discover()
    distribution, name = _target(catalog, asked)
    found: list[Check] = []
    for check in run_checks(distribution, name):
        found.append(check)
        if not as_json:
            _print_check(check)
    if not found:
        raise UsageError(f"{distribution} has nothing to check")
    if as_json:
        print(_as_json(distribution, found))
    else:
        _print_failures([check for check in found if check.result == "failed"], with_traceback)
        counts = ", ".join(f"{n} {word}ed" if word != "skip" else f"{n} skipped" for word, n in _counts(found).items())
        print(f"{distribution}{f'/{name}' if name else ''}: {counts}")
    return all(check.result != "failed" for check in found)


def _target(catalog: Catalog, asked: str | None) -> tuple[str, str]:
    """Returns the distribution and the only object to check, or "" for all of its objects."""
    known = sorted(
        {plugin.distribution for plugin in catalog.plugins} | {distribution_of(one) for one in catalog.broken}
    )
    distribution, _, name = (asked or _of_this_folder(known)).partition("/")
    if distribution not in known:
        raise UsageError(f"no plugin of {distribution!r} is installed; there are {', '.join(known)}")
    brought = {entry.name for entry in catalog.discovery.entries if entry.distribution == distribution}
    if name and name not in brought:
        raise UsageError(f"{distribution} brings no {name!r}; it brings {', '.join(sorted(brought)) or 'nothing'}")
    return distribution, name


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
    reason = f": {check.reason}" if check.result == "skipped" else ""
    print(printable(f"{_SHOWN[check.result]}  {check.kind:<9} {check.name}  {check.check}{reason}"))
    sys.stdout.flush()


def _print_failures(failed: Iterable[Check], with_traceback: bool) -> None:
    for check in failed:
        print()
        print(printable(f"{check.kind} {check.name}: {check.check}"))
        for label, text in (
            ("wrong", check.reason),
            ("must hold", check.holds),
            ("why", check.why),
            ("mend", check.mend),
        ):
            if text:
                print(printable(f"  {label:<10} {' '.join(text.split())}"))
        if with_traceback:
            print("\n".join(f"    {printable(line)}" for line in check.traceback.splitlines()))


def _counts(found: Sequence[Check]) -> dict[str, int]:
    return {word: sum(check.result == result for check in found) for result, word in _SHOWN.items()}


def _as_json(distribution: str, found: Sequence[Check]) -> str:
    counts = {result: sum(check.result == result for check in found) for result in _SHOWN}
    content = {"format": 1, "distribution": distribution, **counts, "checks": [asdict(check) for check in found]}
    return json.dumps(content, indent=1)
