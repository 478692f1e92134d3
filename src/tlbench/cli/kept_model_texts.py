"""Texts about kept models, for `run`, `show` and `status`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tlbench.contracts.record import Record
from tlbench.modeling.disk.cache_settings import size_text
from tlbench.results.models.kept_models import MODELS, kept_models
from tlbench.results.render.escaping import printable


def model_text(record: Record, root: Path) -> str:
    """Returns which seeds' models of a cell are kept, and their size; empty if the cell has no scores."""
    if record.status != "ok":
        return ""
    models = kept_models(root, record)
    if not models:
        return "not kept; predict and export fit the winner again"
    seeds = ", ".join(str(model.manifest.seed) for model in models)
    size = size_text(sum(model.manifest.size_bytes for model in models))
    return f"kept of seed {seeds}: {size}"


def kept_lines(records: Sequence[Record], root: Path) -> list[str]:
    """Returns how many of a run's finished cells have a kept model, and which have none, in two lines at most."""
    finished = [record for record in records if record.status == "ok"]
    kept = {record.cell.id: models for record in finished if (models := kept_models(root, record))}
    size = size_text(sum(model.manifest.size_bytes for models in kept.values() for model in models))
    lines = [f"models of {len(kept)} of {len(finished)} cells kept: {size} in {printable(root / MODELS)}"]
    if without := [record.cell.title for record in finished if record.cell.id not in kept]:
        some = ", ".join(map(printable, without[:3])) + (", ..." if len(without) > 3 else "")
        lines.append(
            f"without a model: {some}: finished before, reused from other cells, or the strategy cannot save it;"
            " predict fits such a winner again"
        )
    return lines


def models_size(root: Path) -> str:
    """Returns the size of all models in a results folder; empty if there are none."""
    total = 0
    for path in (root / MODELS).rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size if not path.is_dir() else 0
    return size_text(total) if total else ""
