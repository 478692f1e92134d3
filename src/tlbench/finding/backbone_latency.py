"""Measures the latency of each backbone before the first fit, and leaves out those that are too slow."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.contracts.executor import Executor, FitOrder, WorkerLost
from tlbench.contracts.fits.latency import Latency
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.find_folder import FindFolder
from tlbench.running.cells.attempt import OrderDefaults


def backbone_latencies(
    entries: Sequence[Entry], folder: FindFolder, executor: Executor, defaults: OrderDefaults
) -> dict[str, tuple[Latency, ...]]:
    """Returns the latencies of each backbone of the candidates by its name; empty for one that cannot be measured.

    They are measured one after the other, so that workers do not slow each other down, and once for a search: what an
    earlier process measured is read from the folder.
    """
    known = folder.latencies()
    first = {entry.candidate.backbone: entry for entry in reversed(entries) if entry.backbone is not None}
    for name, entry in sorted(first.items()):
        if name not in known:
            known[name] = _measured(entry, folder, executor, defaults)
            folder.save_latencies(known)
    return {name: known[name] for name in first}


def too_slow(latencies: dict[str, tuple[Latency, ...]], limit_ms: float) -> dict[str, str]:
    """Returns the reason against each backbone whose 95% point for a single input is above the limit."""
    reasons = {}
    for name, measured in latencies.items():
        alone = next((one for one in measured if one.rows == 1), None)
        if alone is None:
            reasons[name] = "its latency could not be measured"
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


def _measured(entry: Entry, folder: FindFolder, executor: Executor, defaults: OrderDefaults) -> tuple[Latency, ...]:
    order = FitOrder(
        entry.cell,
        "time",
        folder=str(folder.root.resolve()),
        device=defaults.device,
        precision=defaults.precision(entry.cell.protocol.precision),
        threads=defaults.threads,
        environment=dict(defaults.environment),
        imports=entry.imports,
    )
    handle = executor.submit(order)
    while handle not in executor.wait([handle], 1.0):
        pass
    try:
        return handle.result().latencies
    except WorkerLost:
        return ()
