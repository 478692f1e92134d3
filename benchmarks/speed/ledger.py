"""The file of results: each finished pair is written at once, so that a benchmark that was killed goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.speed.contest import Side

FORMAT = 1


class Pair(msgspec.Struct, frozen=True):
    """One round of a row: the same work on both sides, one after the other."""

    seed: int
    tlbench: Side
    peer: Side


class Measurement(msgspec.Struct, frozen=True):
    """A row's pairs, all measured with the same settings."""

    settings: dict[str, Any]
    """The work, the device, the machine, the versions and a digest of the code: pairs measured with others are not
    mixed with these."""
    targets: str
    """The class of every test row, one digit each."""
    pairs: tuple[Pair, ...] = ()


class Start(msgspec.Struct, frozen=True):
    """Times of `tlbench --help` and of an empty Python program."""

    settings: dict[str, Any]
    help_seconds: tuple[float, ...] = ()
    pass_seconds: tuple[float, ...] = ()


class Ledger(msgspec.Struct, frozen=True):
    """All measurements."""

    format: int = FORMAT
    rows: dict[str, Measurement] = {}
    start: Start | None = None

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """Returns the results in a file; empty results if there is no file.

        Raises:
            ValueError: It is no such file.
        """
        if not path.exists():
            return cls()
        try:
            found = msgspec.json.decode(path.read_bytes(), type=cls)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}: no results of this benchmark: {error}") from None
        if found.format != FORMAT:
            raise ValueError(f"{path}: results of format {found.format}, not {FORMAT}")
        return found

    def measured(self, name: str, settings: dict[str, Any]) -> dict[int, Pair]:
        """Returns the pairs of a row that were measured with these settings, by seed."""
        row = self.rows.get(name)
        return {pair.seed: pair for pair in row.pairs} if row and row.settings == settings else {}

    def without(self, name: str) -> Ledger:
        """Returns the results without a row."""
        return msgspec.structs.replace(self, rows={key: row for key, row in self.rows.items() if key != name})

    def with_pair(self, name: str, settings: dict[str, Any], targets: str, pair: Pair) -> Ledger:
        """Returns the results with one more pair; those of a row with other settings, or of its seed, make way."""
        pairs = {**self.measured(name, settings), pair.seed: pair}
        row = Measurement(settings, targets, tuple(pairs[seed] for seed in sorted(pairs)))
        return msgspec.structs.replace(self, rows={**self.rows, name: row})

    def write(self, path: Path) -> None:
        """Writes the results, all or nothing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")
        temporary.replace(path)
