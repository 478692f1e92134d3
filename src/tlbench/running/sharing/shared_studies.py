"""Claims of drivers that share a database: who fits which trial of a cell, and who ends the cell."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import gethostname

import msgspec

from tlbench.contracts.record import FitResult, Provenance
from tlbench.running.sharing.claims_database import Claim, ClaimsDatabase

END = "end"
"""The piece of work that freezes a cell's winner, makes its final fits and commits its record."""
_LOOK_SECONDS = 1.0


class CellTaken(Exception):
    """Another driver makes the final fits of a cell, or has recorded it."""


class SharedFit(msgspec.Struct, frozen=True):
    """A finished fit of a search, as drivers hand it to each other."""

    result: FitResult
    made_with: Provenance = Provenance()


class SharedCell:
    """The pieces of work of one attempt at a cell."""

    def __init__(self, database: ClaimsDatabase, study: str) -> None:
        self._database, self._study = database, study
        self._looked, self._claims = -1e9, list[Claim]()

    def claim_fit(self, item: str) -> bool:
        """Claims a fit and returns whether this driver has to make it."""
        return self._database.claim(self._study, item)

    def finish_fit(self, item: str, fit: SharedFit) -> bool:
        """Hands a finished fit to the other drivers; returns False if another driver has it by now."""
        return self._database.finish(self._study, item, msgspec.json.encode(fit))

    def others(self) -> dict[str, SharedFit | None]:
        """Returns the fits of other drivers that are finished, and None for each whose driver has ended without it.

        Those that are still being made are left out. The database is asked at most once a second.
        """
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return {}
        claims = self._database.claims(self._study)
        found: dict[str, SharedFit | None] = {}
        for claim in claims:
            if claim.outcome is not None and claim.item != END:
                found[claim.item] = msgspec.json.decode(claim.outcome, type=SharedFit)
            elif claim.outcome is None and self._database.is_free(claim):
                found[claim.item] = None
        self._looked = time.monotonic()
        return found

    def claim_end(self) -> None:
        """Claims the end of the cell: its winner, final fits and record.

        Raises:
            CellTaken: Another driver has it.
        """
        if not self._database.claim(self._study, END):
            raise CellTaken

    def drivers(self) -> dict[str, int]:
        """Returns how many fits of the search each driver made, by the name of its machine and its process."""
        claims = self._database.claims(self._study)
        made = [claim.driver for claim in claims if claim.item != END and claim.outcome is not None]
        return dict(sorted(Counter(" ".join(driver.split()[:2]) for driver in made).items()))


class SharedStudies:
    """The cells of a run whose searches are shared with other drivers."""

    def __init__(self, database: ClaimsDatabase) -> None:
        self._database = database
        self._looked, self._ends = -1e9, dict[str, Claim]()
        self.recorded_elsewhere: dict[str, str] = {}
        """Where the record of a cell is that another driver ended, by cell id: machine and folder."""

    def cell(self, cell_id: str, number: int) -> SharedCell:
        """Returns the pieces of work of an attempt at a cell."""
        return SharedCell(self._database, _study(cell_id, number))

    def is_recorded_elsewhere(self, cell_id: str, number: int) -> bool:
        """Returns whether another driver has the record of an attempt, and remembers where."""
        claim = self._end(cell_id, number)
        if claim is None or claim.outcome is None or claim.place == self._database.place:
            return False
        self.recorded_elsewhere[cell_id] = claim.place
        return True

    def is_taken(self, cell_id: str, number: int) -> bool:
        """Returns whether another driver that is alive is making the final fits of an attempt."""
        claim = self._end(cell_id, number)
        return claim is not None and claim.outcome is None and not self._database.is_free(claim)

    def may_commit(self, cell_id: str, number: int) -> bool:
        """Returns whether this driver is the one that commits the record of an attempt; True again if asked again."""
        study, place = _study(cell_id, number), self._database.place
        self._database.claim(study, END)
        if self._database.finish(study, END, place.encode()):
            return True
        end = next((claim for claim in self._database.claims(study) if claim.item == END), None)
        # An earlier driver at this place may have ended between the permit and the record.
        if end is not None and end.place == place and end.outcome is not None:
            return True
        self.recorded_elsewhere[cell_id] = end.place if end else "?"
        return False

    def _end(self, cell_id: str, number: int) -> Claim | None:
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._ends = {claim.study: claim for claim in self._database.claims_of(END)}
            self._looked = time.monotonic()
        return self._ends.get(_study(cell_id, number))


@contextmanager
def shared_studies(url: str, folder: Path) -> Iterator[SharedStudies | None]:
    """Yields the studies that are shared over a database; None without a URL.

    Args:
        url: URL of the database.
        folder: The folder of results of this driver.

    Raises:
        UsageError: The database cannot be reached, or psycopg is not installed.
    """
    if not url:
        yield None
        return
    database = ClaimsDatabase(url, f"{gethostname()}:{folder.resolve()}")
    with database.alive():
        yield SharedStudies(database)


def _study(cell_id: str, number: int) -> str:
    return f"{cell_id}.{number}"
