"""The plugin's hooks: backbones named `words:<file>`."""

from __future__ import annotations

from collections.abc import Mapping

from tlbench import Backbone, hookimpl
from tlbench_words.backbone import SCHEME, WordVectors
from tlbench_words.vector_files import pin


@hookimpl
def tlbench_schemes() -> Mapping[str, str]:
    """Returns how files of vectors are named."""
    return {f"{SCHEME}<file of vectors>": "backbone"}


@hookimpl
def tlbench_resolve(kind: str, name: str) -> Backbone | None:
    """Returns the backbone of a file of vectors, pinned to what it holds now.

    Raises:
        UsageError: No such file, one of another format, or one that changed since it was pinned.
    """
    if kind != "backbone" or not name.startswith(SCHEME):
        return None
    path, digest = pin(name.removeprefix(SCHEME))
    return WordVectors(f"{SCHEME}{path}@{digest}", str(path), digest)
