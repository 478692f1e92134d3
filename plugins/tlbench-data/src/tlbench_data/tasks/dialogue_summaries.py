"""Dialogues and their summaries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tlbench import Example, SplitName, Text
from tlbench_data.drawing import draw
from tlbench_data.readers import Hub, Row, json_lines, json_list
from tlbench_data.tasks.published_files import FileTask, fixed

_METRICS = ("rougeL", "rouge1", "rouge2")


def _summarised(identity: str, row: Row) -> Example:
    columns = [name for name in ("summary", "summary1", "summary2", "summary3") if name in row.values] or ["summary"]
    return Example(identity, (row.text("dialogue"),), tuple(row.text(column) for column in columns))


@dataclass(frozen=True)
class DialogSum(FileTask):
    """Summaries of everyday dialogues; each of the test has three, and the best match counts."""

    name = "dialogsum"
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
            yield _summarised(f"{split}-{number}", row)


@dataclass(frozen=True)
class DialogSumSmall(DialogSum):
    """DialogSum without its training split: 400 dialogues of the dev split train and 100 validate, by a fixed seed."""

    name = "dialogsum-small"
    description = (
        "DialogSum's dev split, cut by seed 0 to train and validate, and its test. Not comparable with DialogSum"
    )
    files = fixed(dev=("dialogsum.dev.jsonl",), test=("dialogsum.test.jsonl",))
    sizes = fixed(train=400, validation=100, test=500)

    def read(self, split: SplitName, folder: Path) -> Iterator[Example]:
        """Yields the dialogues that the draw gave to the split, or those of the test file."""
        if split == "test":
            return super().read(split, folder)
        rows = json_lines(self.path(folder, "dev"))
        every = [_summarised(f"dev-{number}", row) for number, row in enumerate(rows)]
        parts = draw([e.inputs for e in every], [0] * len(every), {"train": 0.8, "validation": 0.2}, seed=0)
        return (every[position] for position in parts[split])


@dataclass(frozen=True)
class SamSum(FileTask):
    """Summaries of messenger dialogues; the one of train that is empty is left out."""

    name = "samsum"
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
        """Yields the dialogues of the rows that have one."""
        filled = (row for row in rows if str(row.value("dialogue") or "").strip())
        for number, row in enumerate(filled):
            yield _summarised(f"{split}-{number}", row)
