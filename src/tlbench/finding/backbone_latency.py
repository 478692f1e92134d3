"""Measures the latency of each backbone before the first fit, and leaves out those that are too slow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tlbench.contracts.executor import Executor, Fit, FitOrder, WorkerLost
from tlbench.contracts.fits.latency import Latency
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.find_folder import FindFolder
from tlbench.running.cells.attempt import OrderDefaults
from tlbench.running.executors.time_alarm import Alarm, alarm_after

SHARE = 0.3
"""Share of the budget that measuring may take; backbones that are not measured by then are left out."""


def backbone_latencies(
    entries: Sequence[Entry],
    folder: FindFolder,
    executor: Executor,
    defaults: OrderDefaults,
    seconds_left: Callable[[], float],
) -> dict[str, tuple[Latency, ...]]:
    """Returns the latencies of each backbone of the candidates by its name; empty for one that cannot be measured.

    They are measured one after the other, so that workers do not slow each other down, and once for a search: what an
    earlier process measured is read from the folder.

    Args:
        entries: The candidates.
        folder: The folder of the search.
        executor: Carries out the orders.
        defaults: The fields that all orders share.
        seconds_left: Returns the seconds that are left for measuring; at 0 the others count as not measured.
    """
    known = folder.latencies()
    first = {entry.candidate.backbone: entry for entry in reversed(entries) if entry.backbone is not None}
    for name, entry in sorted(first.items()):
        if name not in known:
            known[name] = _measured(entry, folder, executor, defaults, seconds_left) if seconds_left() > 0 else ()
            folder.save_latencies(known)
    return {name: known[name] for name in first}


def too_slow(latencies: dict[str, tuple[Latency, ...]], limit_ms: float) -> dict[str, str]:
    """Returns the reason against each backbone whose 95% point for a single input is above the limit."""
    reasons = {}
    for name, measured in latencies.items():
        alone = next((one for one in measured if one.rows == 1), None)
        if alone is None:
            reasons[name] = "its latency could not be measured within the time"
        elif alone.p95_seconds * 1000 > limit_ms:
            reasons[name] = f"{latency_text(measured)}, more than {limit_ms:g} ms"
    return reasons


def latency_text(measured: Sequence[Latency]) -> str:
    """Returns latencies as text: "12 ms for one input (p50 11), 80 ms for 32 (p50 78), on 1 thread"."""
    parts = [
        f"{one.p95_seconds * 1000:.3g} ms for {'one input' if one.rows == 1 else one.rows} (p50"
        f" {one.p50_seconds * 1000:.3g})"
        for one in measured
    ]
    threads = measured[0].threads if measured else 1
    return f"{', '.join(parts)}, on {threads} {'thread' if threads == 1 else 'threads'}"


def _measured(
    entry: Entry,
    folder: FindFolder,
    executor: Executor,
    defaults: OrderDefaults,
    seconds_left: Callable[[], float],
) -> tuple[Latency, ...]:
    return measured(time_order(entry, folder.root, defaults, seconds_left), executor, seconds_left)


def time_order(
    entry: Entry, folder: Path, defaults: OrderDefaults, seconds_left: Callable[[], float], fits: tuple[Fit, ...] = ()
) -> FitOrder:
    """Returns the order that measures a candidate's backbone or, with a fit, the model that is kept in a folder."""
    return FitOrder(
        entry.cell,
        "time",
        fits,
        folder=str(folder.resolve()),
        device=defaults.device,
        precision=defaults.precision(entry.cell.protocol.precision),
        threads=defaults.threads,
        environment=dict(defaults.environment),
        imports=entry.imports,
        seconds=max(0.5, seconds_left()),
    )


def measured(order: FitOrder, executor: Executor, seconds_left: Callable[[], float]) -> tuple[Latency, ...]:
    """Returns what an order measures; empty if it fails, or takes longer than there is time."""
    is_isolated = executor.capacity().isolated
    try:
        # Starting the first worker may take longer than there is time.
        with alarm_after(seconds_left() if is_isolated else None):
            handle = executor.submit(order)
    except Alarm:
        return ()
    while handle not in executor.wait([handle], max(0.05, min(1.0, seconds_left()))):
        if seconds_left() <= 0:
            handle.cancel()
    try:
        return handle.result().latencies
    except WorkerLost:
        return ()
