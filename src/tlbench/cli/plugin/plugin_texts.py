"""Prints the facts of plugins: `tlbench plugin list` and `doctor`, as listings and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tlbench.catalog.loading.missing_packages import core_alone
from tlbench.cli.plugin.plugin_facts import PluginFacts, PluginProblem
from tlbench.cli.text_tables import ListColumn, print_listing, terminal_width
from tlbench.contracts.plugins.api_version import API_VERSION, text_of
from tlbench.results.render.escaping import printable

_COLUMNS = (
    ListColumn("plugin"), ListColumn("version"), ListColumn("API", drop=3), ListColumn("load", drop=2),
    ListColumn("state"), ListColumn("brings", is_shortened=True),
)  # fmt: skip


def print_plugins(facts: Sequence[PluginFacts]) -> None:
    """Prints a line for each distribution: version, API version, load time, state and what it brings."""
    rows = [
        (one.distribution, one.version, one.api, f"{1000 * one.load_seconds:.0f} ms", _state(one), one.text())
        for one in facts
    ]
    left_out = print_listing(_COLUMNS, rows)
    if left_out:
        print(f"not shown at {terminal_width()} columns: {', '.join(left_out)}")
    if hint := core_alone(one.distribution for one in facts):
        print(hint)
    if any(one.problems for one in facts):
        print("`tlbench plugin doctor` says what is wrong and where")


def print_problems(facts: Sequence[PluginFacts], with_traceback: bool, are_all: bool) -> None:
    """Prints what is wrong with each distribution, or that nothing is; what to install if tlbench is alone."""
    for one in facts:
        for problem in one.problems:
            label = "broken" if problem.is_error else "mend"
            where = f" ({problem.where})" if problem.where else ""
            title = f"{one.distribution} {one.version}".strip()
            print(printable(f"{label}: {title}: {problem.reason}{where}"))
            if with_traceback and problem.traceback:
                print("\n".join(f"    {printable_line(line)}" for line in problem.traceback.rstrip().splitlines()))
    if are_all and (hint := core_alone(one.distribution for one in facts)):
        print(hint)
    count, broken = len(facts), sum(one.is_broken for one in facts)
    plugins = f"{count} plugin{'' if count == 1 else 's'}"
    says = f"{broken} of {plugins} broken" if broken else f"{plugins}, none broken"
    print(f"{says}; plugin API {text_of(API_VERSION)}")


def printable_line(line: str) -> str:
    """Returns a line without control characters, with the spaces that it begins with."""
    return line[: len(line) - len(line.lstrip(" "))] + printable(line.lstrip(" "))


def plugins_json(facts: Sequence[PluginFacts]) -> str:
    """Returns the facts as one JSON object in ASCII."""
    content = {"format": 1, "api": text_of(API_VERSION), "plugins": plugin_objects(facts)}
    return json.dumps(content, indent=1)


def plugin_objects(facts: Sequence[PluginFacts]) -> list[dict[str, Any]]:
    """Returns the facts of each distribution, for JSON."""
    return [
        {
            "name": one.distribution,
            "version": one.version,
            "api": one.api,
            "load_seconds": round(one.load_seconds, 4),
            "broken": one.is_broken,
            "brings": dict(one.brings),
            "hooks": list(one.extras),
            "problems": [_problem(problem) for problem in one.problems],
        }
        for one in facts
    ]


def _problem(problem: PluginProblem) -> dict[str, Any]:
    kind = "broken" if problem.is_error else "mend"
    return {"kind": kind, "reason": problem.reason, "where": problem.where, "traceback": problem.traceback}


def _state(facts: PluginFacts) -> str:
    if facts.is_broken:
        return "broken"
    return "mend" if facts.problems else "ok"
