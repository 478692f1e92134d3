"""Groups the tasks of a leaderboard: only tasks that share a backbone are averaged together."""

from __future__ import annotations

from collections.abc import Sequence


def task_groups(tasks: Sequence[str], backbones: Sequence[str]) -> list[tuple[str, ...]]:
    """Returns the tasks in groups such that every backbone has all its tasks in one group, in order of appearance.

    A table of texts and images has two groups, for instance: no row could have a mean over both. Tasks without any
    backbone are a group of their own.

    Args:
        tasks: The task of each row.
        backbones: The backbone of each row; empty for a strategy without one.
    """
    group_of: dict[str, list[str]] = {}
    of_backbone: dict[str, list[str]] = {}
    # Two tasks are joined through a backbone that both have, and so, step by step, through chains of backbones.
    for task, backbone in dict.fromkeys(zip(tasks, backbones, strict=True)):
        group = group_of.setdefault(task, [task])
        other = of_backbone.setdefault(backbone, group) if backbone else group
        if group_of[other[0]] is not group:
            joined = group_of[other[0]]
            joined += group
            group_of.update(dict.fromkeys(group, joined))
    with_backbone = {task for task, backbone in zip(tasks, backbones, strict=True) if backbone}
    without = tuple(task for task in group_of if task not in with_backbone)
    order = {task: number for number, task in enumerate(group_of)}
    groups = {id(group): tuple(sorted(group, key=order.__getitem__)) for group in group_of.values()}
    found = [group for group in groups.values() if group[0] in with_backbone]
    return sorted([*found, *([without] if without else [])], key=lambda group: order[group[0]])
