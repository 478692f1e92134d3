"""What a run has done, as the JSON of `tlbench run --json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tlbench.api.watched_run import EndedRun
from tlbench.contracts.cell import Plan
from tlbench.contracts.record import Record
from tlbench.results.leaderboard import Table

_COLUMNS = (
    "cell", "task", "backbone", "strategy", "variant", "status", "rank", "metric", "value", "low", "high",
    "interval_of", "seeds", "total_seconds", "notes",
)  # fmt: skip


def run_facts(
    plan: Plan, ended: EndedRun, records: Sequence[Record], table: Table, out: Path, seconds: float
) -> dict[str, Any]:
    """Returns what a run has done: counts, a row for each cell, and what was not run with the reason.

    Args:
        plan: The plan.
        ended: The run.
        records: The records of the plan's cells.
        table: The leaderboard of these records.
        out: The folder of results.
        seconds: Time since the start of the run.
    """
    ran = {attempt.cell.id for attempt in ended.attempts} - ended.recorded_elsewhere.keys()
    reasons = {record.cell.id: record.reason for record in records}
    rows = [{**row, "ran": row["cell"] in ran, "reason": reasons.get(row["cell"], "")} for row in table.rows(_COLUMNS)]
    return {
        "format": 1,
        "suite": plan.suite,
        "out": str(out),
        "cells_total": len(plan.cells),
        "cells_ran": len(ran),
        "cells_recorded": len(records),
        "cells_without_score": sum(record.status != "ok" for record in records),
        "seconds": seconds,
        "work_seconds": sum(record.seconds.total for record in records if record.cell.id in ran),
        "cells": rows,
        "not_run": [{"cell": cell.id, "title": cell.title, "reason": reason} for cell, reason in ended.not_recorded],
        "skipped": [{"title": skip.title, "reason": skip.reason} for skip in plan.skips],
        "recorded_elsewhere": dict(ended.recorded_elsewhere),
    }
