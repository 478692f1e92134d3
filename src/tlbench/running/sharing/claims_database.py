"""A table in PostgreSQL in which drivers claim pieces of work and leave the outcomes for each other.

A row of `tlbench_claims` is a piece of work: one driver has it, and it has an outcome once it is done. A claim is an
insertion, so that of two drivers exactly one gets the piece, and an outcome that is there is never replaced. Pieces
whose driver has ended or died are free again: each driver raises a number in `tlbench_drivers` every few seconds.

psycopg is imported when a database is opened.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from tlbench.contracts.errors import StoreError, UsageError
from tlbench.system.background.periodic import called_every

if TYPE_CHECKING:
    import psycopg

BEAT_SECONDS = 5.0
SILENT_SECONDS = 60.0
"""Time after which a driver that does not raise its number counts as dead, if the database answered all the while."""
PATIENCE_SECONDS = 600.0
"""How long a driver waits for a database that does not answer before its run ends."""
_RETRY_SECONDS = 0.5
_TABLES = """
CREATE TABLE IF NOT EXISTS tlbench_drivers (driver text PRIMARY KEY, place text NOT NULL, beat bigint NOT NULL);
CREATE TABLE IF NOT EXISTS tlbench_claims (
    study text NOT NULL, item text NOT NULL, driver text NOT NULL, place text NOT NULL, outcome bytea,
    PRIMARY KEY (study, item));
"""
_CLAIM = """
INSERT INTO tlbench_claims AS c (study, item, driver, place) VALUES (%(study)s, %(item)s, %(driver)s, %(place)s)
ON CONFLICT (study, item) DO UPDATE SET driver = EXCLUDED.driver, place = EXCLUDED.place
WHERE c.outcome IS NULL AND (c.place = EXCLUDED.place OR c.driver = ANY(%(dead)s)
    OR NOT EXISTS (SELECT FROM tlbench_drivers AS d WHERE d.driver = c.driver))
RETURNING 1
"""
# The same outcome again is what a driver writes whose connection broke before it heard of its success.
_FINISH = """
UPDATE tlbench_claims SET outcome = %(outcome)s WHERE study = %(study)s AND item = %(item)s
    AND driver = %(driver)s AND (outcome IS NULL OR outcome = %(outcome)s)
"""
_BEAT = """
INSERT INTO tlbench_drivers (driver, place, beat) VALUES (%(driver)s, %(place)s, %(beat)s)
ON CONFLICT (driver) DO UPDATE SET beat = EXCLUDED.beat
"""
_log = logging.getLogger(__name__)
T = TypeVar("T")


class DatabaseLost(StoreError):
    """The database has not answered for longer than a driver waits, or refuses what it is asked."""


@dataclass(frozen=True)
class Claim:
    """A piece of work that a driver has."""

    study: str
    item: str
    driver: str
    place: str
    outcome: bytes | None
    """None until the piece is done."""


class ClaimsDatabase:
    """One driver's view of the claims of all; safe to use from one thread."""

    def __init__(self, url: str, place: str) -> None:
        """Connects, and creates the tables if they are not there.

        Args:
            url: URL of the database.
            place: Where this driver keeps its results; claims of an earlier driver at the same place are its own.

        Raises:
            UsageError: The database cannot be reached, or psycopg is not installed.
        """
        self.place, self.driver = place, f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"
        self.name = shown_url(url)
        self._url, self._count = url, 0
        self._beats: dict[str, tuple[int, float]] = {}
        """The number of each driver, and when it was first seen (`time.monotonic`)."""
        library = _psycopg()
        try:
            self._connection: psycopg.Connection | None = _connected(url)
            with self._connection.transaction():
                # Of two drivers that create a table at once, one would fail even so.
                self._connection.execute("SELECT pg_advisory_xact_lock(hashtext('tlbench_claims'))")
                self._connection.execute(_TABLES)
        except library.Error as error:
            raise UsageError(f"--storage {self.name}: {_told(error, url)}") from None

    def claim(self, study: str, item: str) -> bool:
        """Claims a piece of work, and returns whether this driver has it and it is not done."""
        values = self._values(study, item, dead=self._dead())
        return self._tried(lambda connection: connection.execute(_CLAIM, values).fetchone() is not None)

    def finish(self, study: str, item: str, outcome: bytes) -> bool:
        """Stores the outcome of a piece of this driver; returns False if another driver has the piece by now."""
        values = self._values(study, item, outcome=outcome)
        return self._tried(lambda connection: connection.execute(_FINISH, values).rowcount == 1)

    def claims(self, study: str) -> list[Claim]:
        """Returns the claims of a study."""
        query = "SELECT study, item, driver, place, outcome FROM tlbench_claims WHERE study = %s"
        return self._tried(lambda connection: [Claim(*row) for row in connection.execute(query, (study,))])

    def claims_of(self, item: str) -> list[Claim]:
        """Returns the claims of an item in all studies."""
        query = "SELECT study, item, driver, place, outcome FROM tlbench_claims WHERE item = %s"
        return self._tried(lambda connection: [Claim(*row) for row in connection.execute(query, (item,))])

    def is_free(self, claim: Claim) -> bool:
        """Returns whether a claim without an outcome can be taken over, as its driver has ended or died."""
        return claim.place == self.place or claim.driver not in self._alive()

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Shows the other drivers that this one is alive while the block runs; afterwards its claims are free."""
        self._tried(self._beat)
        beating: list[Any] = []
        try:
            with called_every(BEAT_SECONDS, lambda: self._beat_beside(beating), "tlbench-claims"):
                yield
        finally:
            for connection in beating:
                connection.close()
            with suppress(Exception):
                query = "DELETE FROM tlbench_drivers WHERE driver = %s"
                _connected(self._url).execute(query, (self.driver,))
            if self._connection is not None:
                self._connection.close()

    def _beat(self, connection: psycopg.Connection) -> None:
        self._count += 1
        connection.execute(_BEAT, {"driver": self.driver, "place": self.place, "beat": self._count})

    def _beat_beside(self, connections: list[Any]) -> None:
        """Raises this driver's number over a connection of its own; a database that is away is tried again later."""
        try:
            if not connections:
                connections.append(_connected(self._url))
            self._beat(connections[0])
        except Exception:
            for connection in connections:
                connection.close()
            connections.clear()

    def _alive(self) -> set[str]:
        rows = self._tried(lambda connection: connection.execute("SELECT driver, beat FROM tlbench_drivers").fetchall())
        now = time.monotonic()
        for driver, beat in rows:
            if self._beats.get(driver, (None, 0.0))[0] != beat:
                self._beats[driver] = beat, now
        return {driver for driver, _ in rows if now - self._beats[driver][1] < SILENT_SECONDS}

    def _dead(self) -> list[str]:
        alive = self._alive()
        return [driver for driver in self._beats if driver not in alive]

    def _values(self, study: str, item: str, **more: object) -> dict[str, object]:
        return {"study": study, "item": item, "driver": self.driver, "place": self.place, **more}

    def _tried(self, action: Callable[[psycopg.Connection], T]) -> T:
        """Returns what an action on the connection returns; waits and reconnects while the database is away.

        Every action may be repeated, since after an error nobody knows whether it was carried out.

        Raises:
            DatabaseLost: The database did not answer for `PATIENCE_SECONDS`, or refuses the action.
        """
        library, began, is_told = _psycopg(), time.monotonic(), False
        while True:
            try:
                if self._connection is None:
                    self._connection = _connected(self._url)
                    # While the database was away nobody could show that they are alive.
                    self._beats.clear()
                return action(self._connection)
            except (library.OperationalError, library.InterfaceError) as error:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
                if time.monotonic() - began > PATIENCE_SECONDS:
                    told = _told(error, self._url)
                    raise DatabaseLost(
                        f"--storage {self.name}: no answer for {PATIENCE_SECONDS:g} s: {told}; nothing finished is"
                        " lost, and the same command does the rest"
                    ) from None
                if not is_told:
                    _log.warning("the database %s does not answer; waiting for it", self.name)
                    is_told = True
                time.sleep(_RETRY_SECONDS)
            except library.Error as error:
                # Such as tables that somebody has dropped: no cell's fault.
                raise DatabaseLost(f"--storage {self.name}: {_told(error, self._url)}") from None


def shown_url(url: str) -> str:
    """Returns the part of a database's URL that may be shown: host, port and name, without user and password."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname or 'localhost'}{f':{parts.port}' if parts.port else ''}{parts.path}"
    except ValueError:
        return "(a URL that cannot be read)"


def _connected(url: str) -> psycopg.Connection:
    # Each statement is a transaction of its own.
    library = _psycopg()
    connection: psycopg.Connection = library.connect(
        url, autocommit=True, connect_timeout=10, application_name="tlbench"
    )
    return connection


def _told(error: Exception, url: str) -> str:
    """Returns an error's text in one line, without the secrets of the URL."""
    text = " ".join(str(error).split())[:300]
    for secret in _secrets(url):
        text = text.replace(secret, "***")
    return text


def _secrets(url: str) -> Sequence[str]:
    try:
        parts = urlsplit(url)
        return [part for part in (parts.password, url, parts.query) if part]
    except ValueError:
        return [url]


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError:
        raise UsageError("--storage needs psycopg: pip install 'tlbench[postgresql]'") from None
    return psycopg
