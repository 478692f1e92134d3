"""The files through which a driver and its workers in Slurm's queue exchange orders and results.

settings.json                  what workers need to start
beat                           a number that the driver raises; a worker whose driver has died ends
stop                           written at the end of the run
worker-<n>/ready               the token of the process that serves; another one after the job was requeued
worker-<n>/order-<id>.json     an order; the id is the process's token and a number
worker-<n>/cancel-<id>         written to stop an order
worker-<n>/answer-<id>.json    the result of an order, or how its process was lost
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

import msgspec

from tlbench import OrderResult


class WorkerSettings(msgspec.Struct, frozen=True):
    """The settings that a worker reads when it starts."""

    device: str
    log: str
    environment: dict[str, str]
    devices: int = 1


class WorkerAnswer(msgspec.Struct, frozen=True):
    """The outcome of an order: its result, or how the process that carried it out was lost."""

    result: OrderResult | None = None
    lost: str = ""
    oom: bool = False


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that readers see whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def read_text(path: Path) -> str:
    """Returns the text of a file; empty if there is none."""
    with suppress(OSError):
        return path.read_text(encoding="ascii")
    return ""
