"""Base class of GLUE's tasks (Wang et al. 2019, arXiv:1804.07461)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tlbench_data.readers import Hub, Row, delimited
from tlbench_data.tasks.published_files import TableTask, fixed
from tlbench_data.tasks.shared_texts import grouped_by_text

from tlbench import Examples, SplitName

DEV = "GLUE's test labels are not public: test is the official dev set, and validation is carved from train"


@dataclass(frozen=True)
class GlueTask(TableTask):
    """A GLUE task: the dev set is the test split, and the runner carves the validation split from train.

    Pairs of the test split that share a text, such as the premise of several hypotheses, are one group.
    """

    files = fixed(train=("train.tsv",), test=("dev.tsv",))
    group = "pairs that share a text"
    splits: ClassVar[tuple[SplitName, ...]] = ("train", "test")
    texts: ClassVar[tuple[str, ...]] = ("sentence1", "sentence2")
    codes: ClassVar[tuple[str, ...]] = ("0", "1")
    # The hub's test split has label -1 in every row.
    hub_splits = fixed(train="train", test="validation")
    columns: ClassVar[tuple[str, ...]] = ()
    """Column names for files without a header; empty if the files have one."""

    def split(self, name: SplitName) -> Examples | None:
        """Returns the examples of a split; raises as `FileTask.split`."""
        examples = super().split(name)
        return grouped_by_text(examples) if examples and name == "test" and self.pairs else examples

    def rows(self, path: Path) -> Iterator[Row]:
        """Yields the rows of a TSV file."""
        # GLUE's files have unescaped quotation marks in their texts, so csv's quoting would merge rows.
        return delimited(path, "\t", quotes=False, columns=self.columns)


def on_hub(config: str) -> Hub:
    """Returns one configuration of GLUE's data set on the hub, pinned to a commit."""
    # Pinned, because the hub's maintainers may convert the tables again.
    return Hub("nyu-mll/glue", config, "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c")


def folders(name: str) -> tuple[str, ...]:
    """Returns the possible paths of a task's folder below the data root."""
    return (f"glue/{name}", f"glue_data/{name}", f"GLUE/{name}", name)
