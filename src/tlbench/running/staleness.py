"""Finds stale records: those whose versions, code, data, threads or device differ from what a run would use now.

Imports no torch. The test split is not compared, because reading it before a winner is frozen would break the seal.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import metadata

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.executor import Capacity
from tlbench.contracts.record import Provenance, Record
from tlbench.planning.capacity import devices_of
from tlbench.running.splits import Splits
from tlbench.system.measure import cpu_name, several_devices


class InstalledVersions:
    """The versions of distributions, each looked up only once."""

    def __init__(self) -> None:
        self._versions: dict[str, str | None] = {}

    def differ(self, provenance: Provenance) -> bool:
        """Returns whether an installed distribution has another version than in the provenance."""
        return any(self._version(name) not in {None, version} for name, version in provenance.distributions.items())

    def _version(self, name: str) -> str | None:
        """Returns the installed version of a distribution, or None if it is not installed."""
        if name not in self._versions:
            self._versions[name] = None
            with suppress(metadata.PackageNotFoundError):
                self._versions[name] = metadata.version(name)
        return self._versions[name]


class StalenessChecker:
    """Compares records with the versions, data, threads and device that a run would use now.

    Each version is looked up, and each data set read, only once.
    """

    def __init__(self, catalog: Catalog, capacity: Capacity) -> None:
        self._catalog, self._threads, self._devices = catalog, capacity.cores, capacity.devices
        self._on_cpu = capacity.device == "cpu"
        self._versions = InstalledVersions()
        self._data: dict[str, dict[str, str]] = {}

    def is_stale(self, record: Record) -> bool:
        """Returns whether the versions, code, train or validation data, threads or device differ from the record's.

        An aspect that is unknown in the record or on this machine counts as equal. For example, a cell whose data are
        missing on this machine could not be run again anyway.
        """
        task = record.cell.task.name
        made_with = (record.provenance, *record.also_made_with)
        devices = devices_of(record.cell.strategy.name, self._catalog, self._devices)
        return has_other_code(record, self._catalog) or any(self._differs(one, task, devices) for one in made_with)

    def _differs(self, provenance: Provenance, task: str, devices: int) -> bool:
        if self._versions.differ(provenance):
            return True
        # Another number of threads changes the last bits of results.
        if provenance.threads and provenance.threads != self._threads:
            return True
        # The name of a GPU would take a driver and torch, in a process that only plans; the leaderboard compares it.
        recorded = provenance.device
        if recorded and recorded != several_devices(base := recorded.partition(" x ")[0], devices):
            return True
        if recorded and (base != cpu_name() if self._on_cpu else recorded.startswith("cpu")):
            return True
        # Data last: reading them is by far the slowest.
        current = self._fingerprints(task) if provenance.data else {}
        return any(current.get(split, fingerprint) != fingerprint for split, fingerprint in provenance.data.items())

    def _fingerprints(self, task: str) -> dict[str, str]:
        """Returns the fingerprints of the task's current train and validation splits; empty if they cannot be read."""
        if task not in self._data:
            self._data[task] = {}
            with suppress(Exception, SystemExit):
                splits = Splits(self._catalog.task(task).item)
                train, validation = splits.train, splits.validation
                self._data[task] = {"train": train.fingerprint, "validation": validation.fingerprint}
        return self._data[task]


def has_other_code(record: Record, catalog: Catalog) -> bool:
    """Returns whether the record's strategy is of a plugin in development whose source has changed since."""
    try:
        now = catalog.code(record.cell)
    except (Exception, SystemExit):
        # The strategy is not installed any more, so that it has no other code.
        return False
    made_with = (record.provenance, *record.also_made_with)
    return any(now.get(name, digest) != digest for one in made_with for name, digest in one.code.items())
