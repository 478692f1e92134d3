"""What the nine tasks share: GLUE's files, and what stands for its unlabelled test split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tlbench_data.readers import Hub, Row, delimited
from tlbench_data.tasks.published_files import TableTask, fixed

from tlbench import SplitName

DEV = "GLUE's test labels are not public: test is the official dev set, and validation is carved from train"


@dataclass(frozen=True)
class GlueTask(TableTask):
    """A task of GLUE: train as published, the dev set in place of the test, validation carved by the runner."""

    files = fixed(train=("train.tsv",), test=("dev.tsv",))
    splits: ClassVar[tuple[SplitName, ...]] = ("train", "test")
    texts: ClassVar[tuple[str, ...]] = ("sentence1", "sentence2")
    codes: ClassVar[tuple[str, ...]] = ("0", "1")
    hub_splits = fixed(train="train", test="validation")
    columns: ClassVar[tuple[str, ...]] = ()
    """Their names where the files have no header."""

    def rows(self, path: Path) -> Iterator[Row]:
        """Yields the rows of a TSV file, in which quotation marks are plain characters."""
        return delimited(path, "\t", quotes=False, columns=self.columns)


def on_hub(config: str) -> Hub:
    """Returns the place of a task's tables on the hub."""
    return Hub("nyu-mll/glue", config, "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c")


def folders(name: str) -> tuple[str, ...]:
    """Returns where a task's folder may be."""
    return (f"glue/{name}", f"glue_data/{name}", f"GLUE/{name}", name)
