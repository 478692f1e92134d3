"""The definition of a strategy when a search began; comparing it keeps different versions out of one search.

It is stored in the cell's folder as definition.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from tlbench.contracts.cell import Cell
from tlbench.contracts.space import Choice, Float, Int, Value
from tlbench.system.integrity.sealed_files import is_damaged, read_sealed, write_sealed_quickly

_NAME = "definition.json"


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The search space, defaults and code of a cell's strategy."""

    space: dict[str, Float | Int | Choice]
    defaults: dict[str, Value] = {}
    code: dict[str, str] = {}
    """Fingerprints of the source, as in `Provenance`."""

    def store(self, folder: Path) -> None:
        """Writes the definition into the folder of a cell."""
        write_sealed_quickly(folder / _NAME, self)

    @staticmethod
    def is_damaged_in(folder: Path) -> bool:
        """Returns whether a cell's folder has a definition that cannot be read."""
        return is_damaged(folder / _NAME, Definition)

    def change_since(self, folder: Path) -> str:
        """Returns what differs from the definition in a cell's folder, as a phrase such as "its source".

        The phrase is empty if nothing differs, or if the folder has no readable definition.
        """
        before = read_sealed(folder / _NAME, Definition)
        if before is None:
            return ""
        changes = []
        if names := _differing(before.space, self.space):
            changes.append(f"its search space ({', '.join(names)})")
        elif names := _differing(before.defaults, self.defaults):
            changes.append(f"its defaults ({', '.join(names)})")
        if any(self.code.get(name, digest) != digest for name, digest in before.code.items()):
            changes.append("its source")
        return " and ".join(changes)


def changed_text(cell: Cell, change: str, others: int = 0) -> str:
    """Returns a message about the changed strategy of an unfinished cell.

    Args:
        cell: The cell.
        change: What has changed.
        others: The number of other unfinished cells whose strategies have changed.
    """
    return (
        f"{cell.strategy.name}: {change} changed after the search of cell {cell.id} had begun"
        f"{f' (and of {others} more)' if others else ''}, and its version is still {cell.strategy.version}:"
        " increase its `version`, or start over with --fresh stale"
    )


def _differing(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    # As JSON, which is how `before` was stored: True and 1 compare equal, and are different choices.
    encode = msgspec.json.encode
    return [name for name in dict.fromkeys((*before, *now)) if encode(before.get(name)) != encode(now.get(name))]
