"""Summarisation of dialogues."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tlbench import Example, SplitName, Text, draw
from tlbench_data.readers import Hub, Row, json_lines, json_list
from tlbench_data.tasks.published_files import FileTask, fixed

_METRICS = ("rougeL", "rouge1", "rouge2")


def _example(identity: str, row: Row) -> Example:
    # Test rows have summary1 to summary3, all others one summary; without any, the error names "summary".
    columns = [name for name in ("summary", "summary1", "summary2", "summary3") if name in row.values] or ["summary"]
    return Example(identity, (row.text("dialogue"),), tuple(row.text(column) for column in columns))


@dataclass(frozen=True)
class DialogSum(FileTask):
    """DialogSum: summaries of everyday dialogues, with three references per test dialogue (Chen et al. 2021)."""

    name = "dialogsum"
    datasets = ("dialogsum",)
    output = Text(max_length=96)
    metrics = _METRICS
    description = "Summaries of everyday dialogues, three references for each of the test"
    source = "Chen et al., DialogSum: A Real-Life Scenario Dialogue Summarization Dataset, Findings of ACL 2021"
    licence = "CC BY-NC-SA 4.0"
    folders = ("dialogsum", "DialogSum_Data")
    files = fixed(train=("dialogsum.train.jsonl",), validation=("dialogsum.dev.jsonl",), test=("dialogsum.test.jsonl",))
    sizes = fixed(train=12460, validation=500, test=500)

    def read(self, split: SplitName, folder: Path) -> Iterator[Example]:
        """Yields the dialogues of the split's file."""
        for number, row in enumerate(json_lines(self.path(folder, split))):
            yield _example(f"{split}-{number}", row)


@dataclass(frozen=True)
class DialogSumSmall(DialogSum):
    """DialogSum without its training split: the dev split is divided into 400 train and 100 validation dialogues.

    Chen et al., Findings of ACL 2021.
    """

    name = "dialogsum-small"
    datasets = ("dialogsum",)
    description = (
        "DialogSum's dev split, cut by seed 0 to train and validate, and its test. Not comparable with DialogSum"
    )
    files = fixed(dev=("dialogsum.dev.jsonl",), test=("dialogsum.test.jsonl",))
    sizes = fixed(train=400, validation=100, test=500)

    def read(self, split: SplitName, folder: Path) -> Iterator[Example]:
        """Yields the dialogues that belong to the split; train and validation are parts of the dev file."""
        if split == "test":
            return super().read(split, folder)
        rows = json_lines(self.path(folder, "dev"))
        examples = [_example(f"dev-{number}", row) for number, row in enumerate(rows)]
        # Summaries have no classes, so all rows are one stratum.
        parts = draw([e.inputs for e in examples], [0] * len(examples), {"train": 0.8, "validation": 0.2}, seed=0)
        return (examples[position] for position in parts[split])


@dataclass(frozen=True)
class SamSum(FileTask):
    """SAMSum: summaries of messenger dialogues (Gliwa et al. 2019, arXiv:1911.12237)."""

    name = "samsum"
    datasets = ("samsum",)
    output = Text(max_length=96)
    metrics = _METRICS
    description = "Summaries of messenger dialogues; the one of train that was published empty is left out"
    source = "Gliwa et al., SAMSum Corpus, Workshop on New Frontiers in Summarization 2019, arXiv:1911.12237"
    licence = "CC BY-NC-ND 4.0"
    folders = ("samsum", "samsum-corpus", "corpus")
    files = fixed(train=("train.json",), validation=("val.json",), test=("test.json",))
    sizes = fixed(train=14731, validation=818, test=819)
    hub = Hub("knkarthick/samsum")

    def read(self, split: SplitName, folder: Path) -> Iterator[Example]:
        """Yields the dialogues of the split's file."""
        return self.read_hub(split, json_list(self.path(folder, split)))

    def read_hub(self, split: SplitName, rows: Iterator[Row]) -> Iterator[Example]:
        """Yields the dialogues of the rows, skipping rows whose dialogue is empty."""
        # One training dialogue was published empty.
        non_empty = (row for row in rows if str(row.value("dialogue") or "").strip())
        for number, row in enumerate(non_empty):
            yield _example(f"{split}-{number}", row)
