"""The names of tasks in tables, which have the amount of training data, and the names without it."""

from __future__ import annotations

from collections import defaultdict

from tlbench.contracts.identity.amount import Amount
from tlbench.results.records.summaries import Summaries


def task_names(summaries: Summaries) -> list[str]:
    """Returns the name of each summary's task in tables: rows with different names are not compared.

    The name has the amount of data with shots or a share of the training data, such as "trec (8 shots)", and the
    version if the task occurs in several versions.
    """
    versions: dict[str, set[int]] = defaultdict(set)
    kinds = [(summary.task, summary.setting_key) for summary in summaries.cells]
    names: dict[tuple[str, str], str] = {}
    for task, key in dict.fromkeys(kinds):
        versions[task].add(summaries.settings[key].task_version)
    for task, key in dict.fromkeys(kinds):
        version = f"version {summaries.settings[key].task_version}" if len(versions[task]) > 1 else ""
        names[task, key] = ", ".join(filter(None, (version, summaries.settings[key].protocol.amount.text)))
    return [f"{task} ({names[task, key]})" if names[task, key] else task for task, key in kinds]


def without_amount(task: str, shots: int | None, fraction: float | None) -> str:
    """Returns a name of `task_names` without the amount: "trec" for "trec (8 shots)"."""
    amount = Amount(shots=shots, fraction=fraction).text
    if amount and task.endswith(f", {amount})"):
        return f"{task.removesuffix(f', {amount})')})"
    return task.removesuffix(f" ({amount})") if amount else task


def without_limit(variant: str) -> str:
    """Returns the text of the column `variant` without the number of training examples."""
    return ", ".join(part for part in variant.split(", ") if not part.startswith("train_limit="))
