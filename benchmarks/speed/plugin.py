"""The plugin of the tlbench side: the corpora as tasks, and time stamps of the start and end of work.

Loaded by `TLBENCH_PLUGINS=benchmarks.speed.plugin`. The clock of the work starts when the first worker has imported
what it needs, as a peer's does, and stops when the last record is stored.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tlbench_finetune.probes.linear_probe import LinearProbe

from benchmarks.speed import corpora
from tlbench import Cell, Classes, Example, Examples, Record, SplitName, Strategy, Task, hookimpl

DATA_VARIABLE = "TLBENCH_DATA"
STAMPS_VARIABLE = "TLBENCH_SPEED_STAMPS"
PREFIX = "speed-"


@dataclass(frozen=True)
class Subset(Task):
    """Rows of a GLUE corpus, the dev file halved into validation and test."""

    name: str
    train: int = 1000
    held_out: int = 872

    modality = "text"
    metrics = ("accuracy",)
    version: ClassVar[int] = 1

    @property
    def output(self) -> Classes:  # type: ignore[override]
        """The corpus's classes."""
        return Classes(corpora.class_names(self.name.removeprefix(PREFIX)))

    def split(self, name: SplitName) -> Examples | None:
        """Returns the rows of a split; there is no unlabelled one.

        Raises:
            FileNotFoundError: The corpus is not where the environment says.
        """
        if name == "unlabeled":
            return None
        root = os.environ.get(DATA_VARIABLE, "")
        splits = corpora.load(self.name.removeprefix(PREFIX), root, self.train, self.held_out)
        return Examples(Example(row.id, row.texts, row.label) for row in getattr(splits, name))


@dataclass(frozen=True)
class OneByOne(LinearProbe):
    """The linear probe with its trials fitted one after another: what fusing them is worth is the distance to it."""

    name: ClassVar[str] = "linear-probe-one-by-one"
    batch_size: ClassVar[int] = 1


@hookimpl
def tlbench_tasks() -> Iterable[Task]:
    """Returns a task for each corpus."""
    return [Subset(f"{PREFIX}{corpus}") for corpus in (*corpora.CORPORA, corpora.GENERATED)]


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns the unfused probe."""
    return [OneByOne()]


@hookimpl
def tlbench_recorded(cell: Cell, record: Record) -> None:
    """Notes the moment; the last one counts."""
    _stamp("recorded")


def _stamp(name: str) -> None:
    folder = os.environ.get(STAMPS_VARIABLE)
    if folder:
        (Path(folder) / f"{name}-{os.getpid()}").write_text(repr(time.monotonic()))


if os.environ.get("TLBENCH_FORK_SERVER") and os.environ.get(STAMPS_VARIABLE):
    # The process that workers are forked from imports this module last; this is what a first fit would go on to import,
    # and no more than that, since the whole process is timed as well.
    import tlbench_hf.loading
    import tlbench_hf.text.tokenizing  # noqa: F401
    import transformers
    from transformers import AutoModel, AutoTokenizer  # noqa: F401
    from transformers.models.bert import modeling_bert  # noqa: F401

    import tlbench.training  # noqa: F401

    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    _stamp("ready")
