"""Which records were made with something else than a run would use now. Imports no torch."""

from __future__ import annotations

from contextlib import suppress
from importlib import metadata

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.record import Provenance, Record
from tlbench.running.splits import Splits
from tlbench.system.measure import cpu_name


class Now:
    """What a run would use now; each part is looked up once."""

    def __init__(self, catalog: Catalog, device: str, threads: int) -> None:
        self._catalog, self._threads = catalog, threads
        self._on_cpu = device == "cpu"
        self._versions: dict[str, str | None] = {}
        self._data: dict[str, dict[str, str]] = {}

    def differs(self, record: Record) -> bool:
        """Says whether versions, train or validation data, threads or device are others than the record's.

        What is not known of either side is no difference: data that is not here could not be run on anyway. Of GPUs
        the name is not asked for, which would take a driver.
        """
        task = record.cell.task.name
        return any(self._is_other(made, task) for made in (record.provenance, *record.also_made_with))

    def _is_other(self, made: Provenance, task: str) -> bool:
        if any(self._version(name) not in {None, version} for name, version in made.distributions.items()):
            return True
        if made.threads and made.threads != self._threads:
            return True
        if made.device and (made.device != cpu_name() if self._on_cpu else made.device.startswith("cpu")):
            return True
        found = self._fingerprints(task) if made.data else {}
        return any(found.get(split, known) != known for split, known in made.data.items())

    def _version(self, name: str) -> str | None:
        if name not in self._versions:
            self._versions[name] = None
            with suppress(metadata.PackageNotFoundError):
                self._versions[name] = metadata.version(name)
        return self._versions[name]

    def _fingerprints(self, task: str) -> dict[str, str]:
        if task not in self._data:
            self._data[task] = {}
            with suppress(Exception, SystemExit):
                splits = Splits(self._catalog.task(task).item)
                train, validation = splits.train, splits.validation
                self._data[task] = {"train": train.fingerprint, "validation": validation.fingerprint}
        return self._data[task]
