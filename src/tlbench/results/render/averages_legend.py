"""The legend of the tables of means over tasks."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.results.over_tasks import Averages
from tlbench.results.ranking import ONE_SEED
from tlbench.results.render.value_texts import ONE_SEED_TEXT


def averages_legend(groups: Sequence[Averages]) -> list[str]:
    """Returns the sentences that explain the tables of means over tasks."""
    sentences = [sentence for group in groups if len(group.tasks) > 1 for sentence in _legend_of(group)]
    if len(groups) > 1:
        sentences.append("Tasks are averaged together if they share a backbone, directly or through others.")
    return list(dict.fromkeys(sentences))


def _legend_of(averages: Averages) -> list[str]:
    if not averages.scales:
        tasks = ", ".join(averages.tasks)
        return [f"{tasks}: no mean over tasks, since none of them has both a floor and a best value of its metric."]
    names = sorted({name for scale in averages.scales.values() for name in scale.floors})
    floor = f"the best score of {' or '.join(names)} on the task" if names else "the worst value of the task's metric"
    if names and not all(scale.floors for scale in averages.scales.values()):
        floor += ", or the metric's worst value where it is missing"
    lines = [
        f"Over tasks: the mean of scores put on one scale, on which 0 is {floor}, and 100 the metric's best value; "
        "a failed cell counts as 0."
    ]
    if averages.left_out:
        lines.append(f"{', '.join(averages.left_out)}: not in the mean, since metric or floor gives no such scale.")
    ranked = {row["ranked_by"] for row in averages.rows}
    if averages.ranks.tested:
        lines.append(
            "Over tasks, rank and 95% interval are over new test examples and new seeds, and for these tasks: "
            "other tasks may order the rows otherwise. A row without predictions on a task has neither."
        )
    if ONE_SEED in ranked:
        lines.append(f"{ONE_SEED_TEXT} over tasks: with one seed on a task.")
    return lines
