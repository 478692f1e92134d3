"""The plugin's hooks: the generated tasks and their suites.

The real GLUE, read from local files, has its place beside `lite`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tlbench import Task, hookimpl


@hookimpl
def tlbench_tasks() -> Iterable[Task]:
    """Returns the five generated tasks."""
    from tlbench_glue.lite.cola import ColaLite
    from tlbench_glue.lite.mrpc import MrpcLite
    from tlbench_glue.lite.rte import RteLite
    from tlbench_glue.lite.sst2 import Sst2Lite
    from tlbench_glue.lite.stsb import StsbLite

    return [ColaLite(), Sst2Lite(), MrpcLite(), RteLite(), StsbLite()]


@hookimpl
def tlbench_suites() -> Iterable[Path]:
    """Returns the suite files that come with the package."""
    return sorted((Path(__file__).parent / "suites").glob("*.toml"))
