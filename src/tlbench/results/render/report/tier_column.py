"""The column that says how far each row of a report was checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tlbench.results.render import value_texts as cells
from tlbench.results.render.page_columns import Column, PageRow, Value
from tlbench.results.submissions.tiers import TIERS, Tier

TIER = Column("tier", "checked", "checked", lambda row: (None, cells.NOTHING), is_name=True)


def with_tiers(lines: Sequence[PageRow], tiers: Mapping[str, Tier]) -> tuple[PageRow, ...]:
    """Returns the rows with a value of the column `TIER`."""
    texts = [tiers.get(line.cell, cells.NOTHING) for line in lines]
    return tuple(
        replace(line, values={**line.values, TIER.name: Value(text, text)})
        for line, text in zip(lines, texts, strict=True)
    )


def checked_text(tiers: Mapping[str, Tier]) -> str:
    """Returns the number of records of each tier, such as "40 recomputed, 3 self-reported"; empty without tiers."""
    counts = Counter(tiers.values())
    return ", ".join(f"{counts[tier]} {tier}" for tier in reversed(TIERS) if counts[tier])
