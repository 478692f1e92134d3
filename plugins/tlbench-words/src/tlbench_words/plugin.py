"""The plugin's hooks: the backbone `glove-6b-50d`, and those named `words:<file>`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tlbench import Backbone, hookimpl
from tlbench_words.backbone import SCHEME, WordVectors
from tlbench_words.glove import GloVe
from tlbench_words.vector_files import pin

SUFFIXES = (".vec", ".txt")
"""Usual file name extensions of word vectors."""

tlbench_api = (1, 0)


@hookimpl
def tlbench_backbones() -> Iterable[Backbone]:
    """Returns GloVe's vectors with 50 dimensions, listed also where their package is not installed."""
    return [GloVe("glove-6b-50d")]


@hookimpl
def tlbench_schemes() -> Mapping[str, str]:
    """Returns the form of names that this plugin resolves: files of word vectors."""
    return {f"{SCHEME}<file of vectors>": "backbone"}


@hookimpl
def tlbench_resolve(kind: str, name: str) -> Backbone | None:
    """Returns the backbone for a file of vectors, pinned to its present content.

    Raises:
        UsageError: The file is missing, or has changed since it was pinned.
        DataError: The file is not a table of word vectors.
    """
    if kind != "backbone" or not name.startswith(SCHEME):
        return None
    path, digest = pin(name.removeprefix(SCHEME))
    return WordVectors(f"{SCHEME}{path}@{digest}", str(path), digest)


@hookimpl
def tlbench_suggest(kind: str, name: str) -> list[str]:
    """Returns the name with `words:` before it if it ends in one of `SUFFIXES`, else an empty list."""
    return [f"{SCHEME}{name}"] if kind == "backbone" and name.lower().endswith(SUFFIXES) else []
