"""Activations in the cache on disk: under which key, and what is checked before they are believed."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

from tlbench.modeling.activations.encoding import batches_of, witness
from tlbench.modeling.activations.hidden_rows import HiddenRows
from tlbench.modeling.data import Data
from tlbench.modeling.disk.disk_cache import DiskCache, StoredArrays
from tlbench.modeling.disk.file_format import JSON
from tlbench.modeling.disk.writing import Draft
from tlbench.modeling.encoder import Encoder

UNNAMED = "random-"
"""How the identity begins of weights that will never be met again: they would only fill the disk."""


@dataclass(frozen=True)
class StoredActivations:
    """Activations and what they cost."""

    value: Tensor | HiddenRows
    """(rows, D) of features, or rows of hidden states."""
    encode_seconds: float
    """What computing them took, on its own."""
    size_bytes: int
    """How much memory they hold: none where they stay on disk and are read when they are looked at."""


class ActivationFile:
    """The place on disk for what one encoder computes of one data: features, or hidden states where `stop` is said."""

    def __init__(self, disk: DiskCache, encoder: Encoder, data: Data, stop: int | None, precision: str) -> None:
        self._disk, self._encoder, self._data, self._stop, self._precision = disk, encoder, data, stop, precision
        self._kind = "features" if stop is None else "hidden"
        self._key: dict[str, JSON] = {
            "weights": encoder.identity,
            "data": data.fingerprint,
            "batches": hashlib.sha256(repr(batches_of(encoder, data)).encode()).hexdigest()[:16],
            "stop": stop,
            "readout": encoder.readout if stop is None else None,
            "precision": precision,
            **_machine(encoder.device),
            **_libraries(encoder),
        }

    def entry(self, make: Callable[[Draft], StoredActivations | None]) -> StoredActivations | None:
        """Returns what is on disk, or what `make` makes and, if it is to stay on disk, adds to the draft as "x".

        Of several processes one makes it, and the others wait. None where `make` returns it, or gave the rows to a
        draft that could not be kept in the end.
        """
        if (found := self._read()) is not None:
            return found
        with self._disk.draft(self._kind, self._key) as draft:
            if (found := self._read()) is not None:
                return found
            made = make(draft)
            if made is None:
                return None
            kept = self._commit(draft, made)
        if not isinstance(made.value, HiddenRows) or made.value.complete:
            return made
        return self._read() if kept else None

    @cached_property
    def _witness(self) -> str:
        return witness(self._encoder, self._data, self._stop, self._precision)

    def _read(self) -> StoredActivations | None:
        stored = self._disk.find(self._kind, self._key)
        if stored is None:
            return None
        if stored.about.get("witness") != self._witness:
            # something changed that the key does not name
            self._disk.drop(self._kind, self._key)
            return None
        return _entry(stored, self._encoder.device)

    def _commit(self, draft: Draft, made: StoredActivations) -> bool:
        about: dict[str, JSON] = {"encode_seconds": made.encode_seconds, "witness": self._witness}
        if isinstance(made.value, HiddenRows):
            draft.add("places", made.value.places)
            about["masked"] = made.value.masked
        return draft.commit(about)


def worth_keeping(encoder: Encoder) -> bool:
    """Says whether another run may meet these weights again."""
    return not encoder.identity.startswith(UNNAMED)


def _entry(stored: StoredArrays, device: torch.device) -> StoredActivations:
    seconds = float(stored.about["encode_seconds"])
    if stored.about.get("masked") is None:
        features = torch.from_numpy(stored.array("x")).to(device)
        return StoredActivations(
            features, seconds, 0 if device.type == "cpu" else features.numel() * features.element_size()
        )
    if "x" not in stored.header.arrays:
        return StoredActivations(HiddenRows(0, masked=False), seconds, 0)
    x = torch.from_numpy(stored.array("x"))
    if stored.header.arrays["x"].dtype == "BF16":
        x = x.view(torch.bfloat16)
    return StoredActivations(HiddenRows.mapped(x, stored.array("places"), bool(stored.about["masked"])), seconds, 0)


def _machine(device: torch.device) -> dict[str, JSON]:
    """Returns what the bits depend on besides weights and data."""
    said: dict[str, JSON] = {"torch": torch.__version__, "matmul": torch.get_float32_matmul_precision()}
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        return {**said, "device": f"{torch.cuda.get_device_name(device)} {capability}"}
    if device.type != "cpu":
        return {**said, "device": f"{device.type} {platform.platform()}"}
    vectors = torch.backends.cpu.get_cpu_capability()
    return {**said, "device": f"{_processor()} {vectors}", "threads": torch.get_num_threads()}


@cache
def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _libraries(encoder: Encoder) -> dict[str, JSON]:
    """Returns the versions of the distributions that the encoder's classes come from."""
    found: dict[str, JSON] = {}
    for kind in (type(encoder), type(encoder.native)):
        module = kind.__module__.partition(".")[0]
        found[f"code:{module}"] = _version(module)
    return found


@cache
def _version(module: str) -> str:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(module.replace("_", "-"))
    return ""
