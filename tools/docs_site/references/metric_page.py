"""The reference of metrics."""

from __future__ import annotations

from tools.docs_site.references.docstrings import cell


def metric_page() -> str:
    """Returns the page."""
    from tlbench.metrics import METRICS

    lines = [
        "# Metrics",
        "",
        "A task names its metrics, of which the first ranks; `metric=` of [your own data](../howto/own-data.md) and"
        " `tlbench leaderboard --metric` choose another. Plugins [add metrics](../howto/add-a-metric.md).",
        "",
        "| name | in tables | scores | better | range | definition |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for metric in METRICS.values():
        kinds = ", ".join(f"`{one.__name__}`" for one in metric.outputs)
        better = "higher" if metric.greater_is_better else "lower"
        low, high = ("" if bound is None else f"{bound:g}" for bound in (metric.lowest, metric.highest))
        where = f"{low} to {high or 'no bound'}"
        row = (f"`{metric.name}`", cell(metric.label), kinds, better, where, cell(metric.citation))
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)
