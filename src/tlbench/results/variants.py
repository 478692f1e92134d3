"""How cells of one task, backbone and strategy differ, in words for the column `variant`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tlbench.contracts.cell import Protocol
from tlbench.results.records.summaries import Setting, Summaries

_TRAINED_ON: dict[str, Callable[[Protocol], str]] = {
    "train_limit": lambda protocol: "all" if protocol.train_limit is None else str(protocol.train_limit),
    "final": lambda protocol: f'"{protocol.final}"',
}
"""Fields of the protocol that decide which examples the best trial is refitted on: functions that return their text."""


def variants_of(summaries: Summaries, tasks: Sequence[str]) -> list[str]:
    """Returns how each cell differs from others of its task, backbone and strategy, or "" if there are no others."""
    names = [(task, one.backbone, one.strategy) for one, task in zip(summaries.cells, tasks, strict=True)]
    groups: dict[tuple[str, str, str], list[int]] = {}
    if len({*names}) < len(names):
        for i, name in enumerate(names):
            groups.setdefault(name, []).append(i)
    flat = {key: _flat(setting) for key, setting in summaries.settings.items()}
    variants = [""] * len(tasks)
    # Many groups differ in the same settings, such as 1 and 16 trials on every task.
    cache: dict[tuple[str, ...], list[str]] = {}
    for group in groups.values():
        if len(group) < 2:
            continue
        settings = tuple(summaries.cells[i].setting_key for i in group)
        if settings not in cache:
            parts = [flat[key] for key in settings]
            keys = [key for key in parts[0] if len({part[key] for part in parts}) > 1]
            cache[settings] = [", ".join(f"{key}={part[key]}" for key in keys) for part in parts]
        for i, variant in zip(group, cache[settings], strict=True):
            variants[i] = variant
    for field in _TRAINED_ON:
        variants = _with_field(field, summaries, tasks, variants)
    return variants


def _with_field(field: str, summaries: Summaries, tasks: Sequence[str], variants: list[str]) -> list[str]:
    """Returns the variants, with a field of `_TRAINED_ON` added for tasks in which it differs between any two cells."""
    value_of = {key: _TRAINED_ON[field](setting.protocol) for key, setting in summaries.settings.items()}
    if len({*value_of.values()}) < 2:
        return variants
    values = [value_of[summary.setting_key] for summary in summaries.cells]
    by_task: dict[str, set[str]] = defaultdict(set)
    for task, value in zip(tasks, values, strict=True):
        by_task[task].add(value)
    return [
        ", ".join(filter(None, (f"{field}={value}", variant)))
        if len(by_task[task]) > 1 and f"{field}=" not in variant
        else variant
        for task, value, variant in zip(tasks, values, variants, strict=True)
    ]


def _flat(setting: Setting) -> dict[str, str]:
    """Returns each field of a setting as JSON text, by field name, to compare and show settings."""
    fields: dict[str, Any] = {
        **msgspec.structs.asdict(setting.protocol),
        "backbone version": setting.backbone_version,
        "strategy version": setting.strategy_version,
        "needs": [msgspec.structs.asdict(need) for need in setting.needs],
        "space": setting.space,
    }
    return {name: msgspec.json.encode(value, order="deterministic").decode() for name, value in fields.items()}
