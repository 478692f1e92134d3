"""Stores activations in the disk cache: defines their keys, and verifies stored entries against the encoder."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

from tlbench.modeling.activations.encoding import encoding_batches, output_digest
from tlbench.modeling.activations.hidden_rows import HiddenRows
from tlbench.modeling.data import Data
from tlbench.modeling.disk.disk_cache import DiskCache, StoredArrays
from tlbench.modeling.disk.file_format import JSON
from tlbench.modeling.disk.writing import EntryWriter
from tlbench.modeling.encoder import Encoder
from tlbench.system.process_memory import memory_growth

RANDOM_WEIGHTS = "random-"
"""Identities of encoders with random weights start with this prefix. Their activations are not stored on disk, because
no other run has the same weights and could reuse them."""


@dataclass(frozen=True)
class StoredActivations:
    """Activations with their cost in time and memory."""

    value: Tensor | HiddenRows
    """Features (rows, D), or the rows of hidden states."""
    encode_seconds: float
    """Seconds spent on computing the activations, even if they were read from disk this time."""
    size_bytes: int
    """Memory in use: 0 if the values are mapped from disk and loaded on access."""
    encode_peak_bytes: int | None = None
    """Memory that encoding needed at its peak, including the activations; None if this process encoded them."""
    mapped_bytes: int = 0
    """Size of the activations if they are mapped from a file that another process has written."""


class ActivationFile:
    """The disk cache's entry for one encoder and one data set: features, or hidden states if `stop` is not None."""

    def __init__(self, disk: DiskCache, encoder: Encoder, data: Data, stop: int | None, precision: str) -> None:
        self._disk, self._encoder, self._data, self._stop, self._precision = disk, encoder, data, stop, precision
        self._kind = "features" if stop is None else "hidden"
        # A cached run must give the same bits as a computed one, so the key has all that the bits depend on: kernels
        # differ between processors, torch versions and numbers of threads, and a row's last bits even depend on the
        # rows that share its batch.
        self._key: dict[str, JSON] = {
            "weights": encoder.identity,
            "data": data.fingerprint,
            "batches": hashlib.sha256(repr(encoding_batches(encoder, data)).encode()).hexdigest()[:16],
            "stop": stop,
            "readout": encoder.readout if stop is None else None,
            "precision": precision,
            **_numerics(encoder.device),
            **_library_versions(encoder),
        }

    def load_or_create(self, make: Callable[[EntryWriter], StoredActivations | None]) -> StoredActivations | None:
        """Returns the stored activations, or computes them with `make` and stores them; other processes wait meanwhile.

        Args:
            make: Computes the activations and adds them to the writer as "x"; returns None if they cannot be cached.

        Returns:
            The activations; None if `make` returned None, or if the rows did not fit into memory and could not be
            stored on disk.
        """
        if (entry := self._read()) is not None:
            return entry
        with self._disk.writer(self._kind, self._key) as writer:
            # another process may have stored the entry while this one waited for the lock
            if (entry := self._read()) is not None:
                return entry
            with memory_growth() as growth:
                created = make(writer)
            if created is None:
                return None
            stored = self._commit(writer, created, growth.bytes)
        if not isinstance(created.value, HiddenRows) or created.value.complete:
            return created
        # the rows exceeded the memory limit and were written only: map them from the file
        mapped = self._read() if stored else None
        return mapped and replace(mapped, encode_peak_bytes=None, mapped_bytes=0)

    @cached_property
    def _witness(self) -> str:
        """The digest of the present encoder's output for two rows; a stored entry with another one is outdated."""
        return output_digest(self._encoder, self._data, self._stop, self._precision)

    def _read(self) -> StoredActivations | None:
        stored = self._disk.find(self._kind, self._key)
        if stored is None:
            return None
        if stored.metadata.get("witness") != self._witness:
            # the encoder's code changed but not its version, as in a plugin under development, so the key is the same
            self._disk.drop(self._kind, self._key)
            return None
        return _activations_of(stored, self._encoder.device)

    def _commit(self, writer: EntryWriter, created: StoredActivations, peak_bytes: int) -> bool:
        details: dict[str, JSON] = {
            "encode_seconds": created.encode_seconds,
            "encode_peak_bytes": peak_bytes,
            "witness": self._witness,
        }
        if isinstance(created.value, HiddenRows):
            # do not rename "places" and "masked": files that earlier versions wrote have these names
            writer.add("places", created.value.bounds)
            details["masked"] = created.value.masked
        return writer.commit(details)


def should_store(encoder: Encoder) -> bool:
    """Returns whether activations are worth storing on disk: only if another run can have the encoder's weights."""
    return not encoder.identity.startswith(RANDOM_WEIGHTS)


def _activations_of(stored: StoredArrays, device: torch.device) -> StoredActivations:
    seconds = float(stored.metadata["encode_seconds"])
    # files that earlier versions wrote do not say how much memory encoding needed
    peak = int(stored.metadata.get("encode_peak_bytes", 0))
    # features: small, and moved to the encoder's device as a whole
    if stored.metadata.get("masked") is None:
        features = torch.from_numpy(stored.array("x")).to(device)
        size = 0 if device.type == "cpu" else features.nbytes
        return StoredActivations(features, seconds, size, peak, features.nbytes - size)
    # data without rows: encoding never ran, so no array was written
    if "x" not in stored.header.arrays:
        return StoredActivations(HiddenRows(0, masked=False), seconds, 0, peak)
    x = torch.from_numpy(stored.array("x"))
    if stored.header.arrays["x"].dtype == "BF16":
        # numpy lacks bfloat16: the array holds its bits as int16
        x = x.view(torch.bfloat16)
    rows = HiddenRows.mapped(x, stored.array("places"), bool(stored.metadata["masked"]))
    return StoredActivations(rows, seconds, 0, peak, x.nbytes)


def _numerics(device: torch.device) -> dict[str, JSON]:
    """Returns the software and hardware settings that select torch's kernels and so affect the last bits of results."""
    common: dict[str, JSON] = {"torch": torch.__version__, "matmul": torch.get_float32_matmul_precision()}
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        return {**common, "device": f"{torch.cuda.get_device_name(device)} {capability}"}
    if device.type != "cpu":
        return {**common, "device": f"{device.type} {platform.platform()}"}
    # a CPU's sums are split by the number of threads and by the vector width
    vectors = torch.backends.cpu.get_cpu_capability()
    return {**common, "device": f"{_processor()} {vectors}", "threads": torch.get_num_threads()}


@cache
def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _library_versions(encoder: Encoder) -> dict[str, JSON]:
    """Returns the versions of the distributions that the encoder's classes come from."""
    versions: dict[str, JSON] = {}
    for kind in (type(encoder), type(encoder.native)):
        module = kind.__module__.partition(".")[0]
        versions[f"code:{module}"] = _version(module)
    return versions


@cache
def _version(module: str) -> str:
    # a module that is not installed as a distribution, such as a test's, has no version: `_witness` detects its changes
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(module.replace("_", "-"))
    return ""
