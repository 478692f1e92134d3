"""The plugin's hooks: GLUE's nine tasks, five generated ones with the same outputs, and their suites."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tlbench import Task, hookimpl

tlbench_api = (1, 0)


@hookimpl
def tlbench_tasks() -> Iterable[Task]:
    """Returns the nine tasks of GLUE and the five generated ones."""
    from tlbench_glue.lite.cola import ColaLite
    from tlbench_glue.lite.mrpc import MrpcLite
    from tlbench_glue.lite.rte import RteLite
    from tlbench_glue.lite.sst2 import Sst2Lite
    from tlbench_glue.lite.stsb import StsbLite
    from tlbench_glue.real.pairs import Mnli, Mrpc, Qnli, Qqp, Rte, Stsb, Wnli
    from tlbench_glue.real.single import Cola, Sst2

    real = [Cola(), Sst2(), Mrpc(), Stsb(), Rte(), Wnli(), Qnli(), Qqp(), Mnli()]
    return [*real, ColaLite(), Sst2Lite(), MrpcLite(), RteLite(), StsbLite()]


@hookimpl
def tlbench_suites() -> Iterable[Path]:
    """Returns the suite files of this package."""
    return sorted((Path(__file__).parent / "suites").glob("*.toml"))
