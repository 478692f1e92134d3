"""The report of a replay as Markdown, and its curves as a drawing."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.find.replay.measures import oracle_gap
from benchmarks.find.replay.replayed import SHARE_WITH_FINALS, SHARES
from benchmarks.find.replay.rivals import OURS
from benchmarks.find.replay.standings import Mean, ReplayStandings
from benchmarks.find.replay.targets import targets
from tlbench.results.render.charts.line_chart import ChartPoint, LineChart, Series, image

SHOWN = (0.03, 0.05, 0.1, 0.2)


def page(standings: ReplayStandings, title: str, notes: str) -> str:
    """Returns the report.

    Args:
        standings: The replayed policies.
        title: Its heading.
        notes: A paragraph on where the fits come from.
    """
    tasks = standings.tasks
    hours = sum(task.grid_seconds for task in tasks) / 3600
    head = (
        f"{len(tasks)} tasks, {sum(len(task.rows) for task in tasks):,} fits, {hours:,.1f} hours for all of them; "
        f"{standings.draws} draws of the validation rows. Regret is in points of accuracy, clipped at 0 for each task, "
        "and a cost is a share of what all fits cost, with encodings, probes, feature scores and failed fits."
    )
    parts = [f"# {title}", notes, head, *_targets(standings)]
    for modality in standings.modalities:
        parts += [
            f"## {modality.capitalize()}: regret to the grid's pick, mean (worst task)",
            _table(standings, modality),
        ]
    parts += ["## Where each opponent fails", _failures(standings), "## Tasks", _tasks(standings)]
    return "\n\n".join(part for part in parts if part) + "\n"


def drawing(standings: ReplayStandings) -> str:
    """Returns the curves of regret to the grid's pick, and to the oracle, against cost: text and images apart."""
    charts = []
    for modality in standings.modalities:
        for measure, name in (("to_pick", "the grid's pick"), ("to_oracle", "the oracle")):
            charts.append(
                LineChart(
                    f"{modality}: regret to {name}, mean of tasks, in points",
                    "search cost, as a share of the whole grid's",
                    tuple(SHARES),
                    lambda value: f"{value:g}",
                    tuple(_line(standings, rival, modality, measure) for rival in _order(standings, modality)),
                    x_is_log=True,
                    x_text=lambda share: f"{share:.0%}",
                )
            )
    return image(charts)


def _line(standings: ReplayStandings, rival: str, modality: str, measure: str) -> Series:
    means = [(share, standings.mean(rival, share, modality, measure)) for share in SHARES]
    points = tuple(ChartPoint(share, mean.value) for share, mean in means if mean is not None)
    return Series(rival, points, is_dashed=rival != OURS, width=4 if rival == OURS else 1.5)


def _order(standings: ReplayStandings, modality: str) -> list[str]:
    """Returns the policies that have searched tasks of a modality, by their regret at 10%."""
    means = {rival: standings.mean(rival, 0.1, modality) for rival in standings.answers}
    known = {rival: mean.value for rival, mean in means.items() if mean is not None}
    return sorted(known, key=lambda rival: (known[rival], rival))


def _targets(standings: ReplayStandings) -> Iterator[str]:
    # Foreign records have no answers by row, and policies that need features have not searched them.
    if any(task.test is None for task in standings.tasks):
        return
    rows = [
        f"| {one.what} | {one.target} | {one.found} | {'yes' if one.is_met else '**no**'} |"
        for one in targets(standings)
    ]
    yield "## Targets"
    yield "\n".join([f"| `{OURS}` | target | found | met |", "| --- | --- | --- | --- |", *rows])


def _table(standings: ReplayStandings, modality: str) -> str:
    heads = [
        *(f"{share:.0%}" for share in SHOWN),
        "to the oracle at 10%",
        f"with finals at {SHARE_WITH_FINALS:.0%}",
        "charged",
    ]
    lines = [f"| policy | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(heads)]
    for rival in _order(standings, modality):
        cells = [_mean(standings.mean(rival, share, modality)) for share in SHOWN]
        cells.append(_mean(standings.mean(rival, 0.1, modality, "to_oracle")))
        cells.append(_mean(standings.mean(rival, SHARE_WITH_FINALS, modality)))
        cells.append(f"{standings.charged(rival, modality):.1%}")
        lines.append(f"| {f'**{rival}**' if rival == OURS else rival} | {' | '.join(cells)} |")
    chosen = [task for task in standings.tasks if task.modality == modality]
    gap = sum(max(0.0, oracle_gap(task, standings.draws)) for task in chosen) / len(chosen)
    lines.append(f"| the whole grid | {' | '.join(['0'] * len(SHOWN))} | {gap:.2f} | 0 | 100% |")
    return "\n".join(lines)


def _mean(mean: Mean | None) -> str:
    return "" if mean is None else f"{mean.value:.2f} ({mean.worst:.1f})"


def _failures(standings: ReplayStandings) -> str:
    lines = [f"| policy | task | its regret at 10% | `{OURS}` there |", "| --- | --- | ---: | ---: |"]
    for rival in standings.answers:
        if rival != OURS:
            failing = standings.failing_task(rival, 0.1)
            cells = (
                ("none by over a point", "", "")
                if failing is None
                else (failing[0], *(f"{one:.1f}" for one in failing[1:]))
            )
            lines.append(f"| {rival} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _tasks(standings: ReplayStandings) -> str:
    heads = [
        "modality",
        "fits",
        "hours",
        *(f"`{OURS}` at {share:.0%}" for share in SHOWN),
        "the grid's pick to the oracle",
    ]
    lines = [f"| task | {' | '.join(heads)} |", "| --- | --- |" + " ---: |" * (len(heads) - 1)]
    for task in standings.tasks:
        regrets = [f"{standings.regret(OURS, task, share).to_pick:.2f}" for share in SHOWN]
        gap = oracle_gap(task, standings.draws)
        cells = [task.modality, f"{len(task.rows)}", f"{task.grid_seconds / 3600:.2f}", *regrets, f"{gap:.2f}"]
        lines.append(f"| {task.name} | {' | '.join(cells)} |")
    return "\n".join(lines)
