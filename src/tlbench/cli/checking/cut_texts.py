"""Describes, for a run and for a record, the share of texts that a backbone cut to its maximum length."""

from __future__ import annotations

from collections.abc import Iterable

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.record import Record
from tlbench.data.checks.length_checks import CUT_SHARE
from tlbench.results.render.escaping import printable
from tlbench.running.longer_texts import longer_texts


def cut_text(record: Record, catalog: Catalog) -> str:
    """Returns the share of texts cut in each split, and how to allow longer texts; "none" if none, empty if unknown."""
    if not record.truncated:
        return ""
    if not any(record.truncated.values()):
        return "none"
    shares = ", ".join(f"{share:.1%} of {split}" for split, share in record.truncated.items())
    return f"{shares}; {_advice(record, catalog)}" if _advice(record, catalog) else shares


def cut_text_lines(records: Iterable[Record], catalog: Catalog) -> list[str]:
    """Returns a line for each task and backbone that cut at least 1% of the texts of a split."""
    lines: dict[tuple[str, str], str] = {}
    for record in records:
        backbone = record.cell.backbone
        if backbone is None or not any(share >= CUT_SHARE for share in record.truncated.values()):
            continue
        title = f"{printable(record.cell.task.name)}: {printable(backbone.name)}"
        lines.setdefault((record.cell.task.name, backbone.name), f"{title} cut texts: {cut_text(record, catalog)}")
    return list(lines.values())


def _advice(record: Record, catalog: Catalog) -> str:
    if record.cell.backbone is None:
        return ""
    try:
        return longer_texts(catalog.backbone(record.cell.backbone.name))
    except Exception:
        # The plugin of the backbone may not be installed any more, or its card() may fail.
        return ""
