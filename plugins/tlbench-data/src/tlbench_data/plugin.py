"""The plugin's hooks: named public tasks, and tasks made of your own data (`csv:`, `imagefolder:`, ...)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tlbench import Task, hookimpl

FORMATS = ("csv", "tsv", "jsonl", "parquet", "conll", "squad")

tlbench_api = (1, 0)


@hookimpl
def tlbench_tasks() -> Iterable[Task]:
    """Returns the named tasks, whether or not their files are on this machine."""
    from tlbench_data.images.image_tasks import tasks as image_tasks
    from tlbench_data.tasks import tasks as text_tasks

    return [*text_tasks(), *image_tasks()]


@hookimpl
def tlbench_suites() -> Iterable[Path]:
    """Returns the suite files of this package."""
    return sorted((Path(__file__).parent / "suites").glob("*.toml"))


@hookimpl
def tlbench_schemes() -> Mapping[str, str]:
    """Returns the name patterns of tasks made of your own files, folders and hub data sets."""
    own = {f"{name}:<file>": "task" for name in FORMATS} | {"parallel:<file>+<file>": "task"}
    return {**own, "imagefolder:<folder>": "task", "idx:<folder>": "task", "hub:<org/name>@<commit>": "task"}


@hookimpl
def tlbench_resolve(kind: str, name: str) -> Task | None:
    """Returns the task made of your own file, folder or hub data set.

    Raises:
        UsageError: The data is missing or cannot be used; the message names file and row.
    """
    scheme, colon, rest = name.partition(":")
    if kind != "task" or not colon:
        return None
    if scheme == "imagefolder":
        from tlbench_data.images.imagefolder import resolve as image_folder

        return image_folder(rest)
    if scheme == "parallel":
        from tlbench_data.parallel.parallel_task import resolve as parallel_files

        return parallel_files(rest)
    if scheme == "idx":
        from tlbench_data.images.idx_task import resolve as idx_files

        return idx_files(rest)
    if scheme == "hub":
        from tlbench_data.own.hub import resolve as data_set

        return data_set(rest)
    if scheme in FORMATS:
        from tlbench_data.own.own_task import resolve as files

        return files(scheme, rest)
    return None


@hookimpl
def tlbench_suggest(kind: str, name: str) -> list[str]:
    """Returns task names with a scheme, such as `csv:a.csv`, for a file, folder or hub repository named without one."""
    from tlbench_data.suggested_names import suggested

    return suggested(name) if kind == "task" else []
