"""How far estimates were off in earlier searches on this machine, kept in the cache folder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from tlbench.modeling.disk import cache_settings
from tlbench.system.durable import write_durably

FORMAT = 1
MAX_KEPT = 1000
"""Number of candidates that are kept; those that were measured longest ago are forgotten first."""
_MAX_BYTES = 2**20
_MOST = 1e3


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    factors: dict[str, dict[str, float]]
    """By device and threads, then by candidate."""


def history_file() -> Path:
    """Returns the path of the file."""
    return cache_settings.folder() / "find-costs.json"


def known_factors(place: str, file: Path | None = None) -> dict[str, float]:
    """Returns the factors of earlier searches with these workers, such as `cpu:1`; empty if there are none."""
    return _read(file or history_file()).get(place, {})


def save_factors(place: str, factors: Mapping[str, float], file: Path | None = None) -> None:
    """Adds the factors of a search to the file; ignores errors of writing."""
    target = file or history_file()
    kept = _read(target)
    before = {name: value for name, value in kept.get(place, {}).items() if name not in factors}
    merged = [*before.items(), *factors.items()][-MAX_KEPT:]
    with suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_durably(target, msgspec.json.encode(_Kept(FORMAT, {**kept, place: dict(merged)})))


def _read(file: Path) -> dict[str, dict[str, float]]:
    with suppress(OSError, msgspec.DecodeError):
        if file.is_file() and file.stat().st_size <= _MAX_BYTES:
            kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
            if kept.format == FORMAT:
                return {
                    place: {name: value for name, value in factors.items() if 1 / _MOST < value < _MOST}
                    for place, factors in kept.factors.items()
                }
    return {}
