"""Brings a task and a suite, and names files by a scheme; its requirement says for which tlbench it is written."""

from pathlib import Path

from review_files.task import ReviewFile, Reviews
from tlbench import UsageError, hookimpl


@hookimpl
def tlbench_tasks():
    return [Reviews()]


@hookimpl
def tlbench_suites():
    return [Path(__file__).parent / "reviews.toml"]


@hookimpl
def tlbench_schemes():
    return {"reviews:<file>": "task"}


@hookimpl
def tlbench_resolve(kind, name):
    if kind != "task" or not name.startswith("reviews:"):
        return None
    path = Path(name.removeprefix("reviews:"))
    if not path.is_file():
        raise UsageError(f"{name}: no such file")
    return ReviewFile(str(path))
