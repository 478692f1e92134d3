"""The versions and folders of a machine of the cluster, and whether they fit this machine. Imports no ray."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata

import msgspec

LIBRARIES = ("tlbench", "torch", "transformers", "timm", "peft", "scikit-learn", "numpy")
"""Distributions that results depend on, besides plugins."""
DATA, CACHE = "TLBENCH_DATA", "TLBENCH_CACHE"


class NodeFacts(msgspec.Struct, frozen=True):
    """A machine, as a run sees it."""

    host: str
    versions: dict[str, str]
    """Versions of Python, of the libraries and of the installed plugins, by distribution."""
    sees_results: bool = False
    """Whether it has the driver's folder of results."""
    missing: tuple[str, ...] = ()
    """Folders that the environment names and that it lacks."""
    log: str = ""
    """The log of its workers."""
    fault: str = ""
    """Why it can start no worker, in one line; empty if it can."""


def installed_versions() -> dict[str, str]:
    """Returns the versions of Python, of the libraries and of the installed plugins."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    plugins = {point.dist.name for point in metadata.entry_points(group="tlbench") if point.dist is not None}
    for name in sorted({*LIBRARIES, *plugins}):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def facts_here(environment: Mapping[str, str], sees_results: bool, log: str, fault: str = "") -> NodeFacts:
    """Returns the facts of this machine."""
    folder = environment.get(DATA, "")
    missing = (f"{folder} ({DATA})",) if folder and not os.path.isdir(folder) else ()
    return NodeFacts(socket.gethostname(), installed_versions(), sees_results, missing, log, fault)


def fault_of(node: NodeFacts, mine: Mapping[str, str]) -> str:
    """Returns in one line why a machine cannot take part in a run; empty if it can.

    Args:
        node: The machine.
        mine: The versions of the driver's machine.
    """
    names = sorted(name for name in {*mine, *node.versions} if mine.get(name) != node.versions.get(name))
    if names:
        # A plugin that only the machine has changes nothing, since the driver orders nothing of it.
        names = [name for name in names if name in mine]
    if names:
        shown = ", ".join(f"{name} {node.versions.get(name, 'not at all')} (here {mine[name]})" for name in names[:3])
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return (
            f"the machine {node.host} of the Ray cluster has {shown}{more}: install the same versions on all machines"
        )
    if node.fault:
        return f"the machine {node.host} of the Ray cluster: {node.fault}"
    if node.missing:
        return (
            f"the machine {node.host} of the Ray cluster has no folder {', '.join(node.missing)}: mount it there, or"
            " name its place by ray[data=...]"
        )
    return ""
