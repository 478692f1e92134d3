"""How candidates ranked in earlier searches on this machine, kept in the cache folder; it orders the first fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from tlbench.finding.candidates.all_candidates import Candidates, Entry
from tlbench.modeling.disk import cache_settings
from tlbench.system.durable import write_durably

FORMAT = 1
MAX_KEPT = 2000
"""Number of candidates that are kept; those that were ranked longest ago are forgotten first."""
MOST_SEARCHES = 20.0
"""More searches than these weigh no more, so that what is new still counts."""
_MAX_BYTES = 2**20


class _Ranked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    total: float
    """Sum of the ranks, each from -1 (last) to 1 (first)."""
    searches: float


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    ranks: dict[str, _Ranked]
    """By title."""


def ranks_file() -> Path:
    """Returns the path of the file."""
    return cache_settings.folder() / "find-ranks.json"


def earlier_priors(entries: Sequence[Entry], file: Path | None = None) -> tuple[float, ...]:
    """Returns the prior of each candidate: its mean rank in earlier searches, drawn towards 0 where there are few."""
    kept = _read(file or ranks_file())
    found = [kept.get(entry.title) for entry in entries]
    return tuple(0.0 if one is None else one.total / (one.searches + 1) for one in found)


def with_priors(candidates: Candidates, priors: Sequence[float]) -> Candidates:
    """Returns the candidates with priors; without any if their number is another."""
    if len(priors) != len(candidates.entries):
        return candidates
    pairs = zip(candidates.entries, priors, strict=True)
    entries = (replace(entry, candidate=replace(entry.candidate, prior=prior)) for entry, prior in pairs)
    return replace(candidates, entries=tuple(entries))


def save_ranks(scores: Mapping[str, float], file: Path | None = None) -> None:
    """Adds the ranks of a search to the file; ignores errors of writing.

    Args:
        scores: The best score of each candidate with a backbone by its title, greater is better. One alone has no rank.
        file: The file; None for that of the cache folder.
    """
    if len(scores) < 2:
        return
    target = file or ranks_file()
    kept = _read(target)
    for title, score in scores.items():
        worse = sum(other < score for other in scores.values())
        better = sum(other > score for other in scores.values())
        before = kept.pop(title, _Ranked(0.0, 0.0))
        weight = min(1.0, (MOST_SEARCHES - 1) / max(1.0, before.searches))
        rank = (worse - better) / (len(scores) - 1)
        kept[title] = _Ranked(weight * before.total + rank, weight * before.searches + 1)
    with suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_durably(target, msgspec.json.encode(_Kept(FORMAT, dict([*kept.items()][-MAX_KEPT:]))))


def _read(file: Path) -> dict[str, _Ranked]:
    with suppress(OSError, msgspec.DecodeError):
        if file.is_file() and file.stat().st_size <= _MAX_BYTES:
            kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
            if kept.format == FORMAT:
                return {title: one for title, one in kept.ranks.items() if abs(one.total) <= one.searches <= 1e3}
    return {}
