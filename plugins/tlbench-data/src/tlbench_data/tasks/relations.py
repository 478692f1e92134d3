"""Relation classification between two marked spans of a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tlbench import Classes, Example, SplitName
from tlbench_data.readers import Hub, Row, lines
from tlbench_data.readers.hub_files import CONVERTED
from tlbench_data.tasks.published_files import TableTask, fixed

_RELATIONS = (
    "Cause-Effect",
    "Component-Whole",
    "Content-Container",
    "Entity-Destination",
    "Entity-Origin",
    "Instrument-Agency",
    "Member-Collection",
    "Message-Topic",
    "Product-Producer",
)
_NUMBERED = re.compile(r"\d+\t(?P<sentence>.*)")
_MARK = re.compile(r"<(/?)e([12])>")


@dataclass(frozen=True)
class SemEval2010Task8(TableTask):
    """SemEval-2010 Task 8: nine relations between two nominals, in either direction, or none of them.

    The spans are between `[E1] [/E1]` and `[E2] [/E2]` (entity markers, Baldini Soares et al. 2019, arXiv:1906.03158).
    Hendrickx et al., SemEval 2010.
    """

    name = "semeval2010-task8"
    datasets = ("sem_eval_2010_task_8",)
    output = Classes((*(f"{relation}({way})" for relation in _RELATIONS for way in ("e1,e2", "e2,e1")), "Other"))
    metrics = ("f1_macro", "accuracy")
    description = (
        "Which of nine directed relations holds between two marked nominals. Macro F1 is over all 19 classes, where "
        "the official score is over nine relations without Other"
    )
    source = (
        "Hendrickx et al., SemEval-2010 Task 8: Multi-Way Classification of Semantic Relations between Pairs of "
        "Nominals; entity markers: Baldini Soares et al. 2019, arXiv:1906.03158"
    )
    licence = "CC BY 3.0"
    folders = ("semeval2010_task8", "SemEval2010_task8_all_data")
    files = fixed(
        train=("TRAIN_FILE.TXT", "SemEval2010_task8_training/TRAIN_FILE.TXT"),
        test=("TEST_FILE_FULL.TXT", "SemEval2010_task8_testing_keys/TEST_FILE_FULL.TXT"),
    )
    splits = ("train", "test")
    sizes = fixed(train=8000, test=2717)
    texts = ("sentence",)
    label = "relation"
    hub = Hub("SemEvalWorkshop/sem_eval_2010_task_8", revision=CONVERTED)

    def rows(self, path: Path) -> Iterator[Row]:
        """Yields the sentences of a file in the official format."""
        return relations(path)

    def read_hub(self, split: SplitName, rows: Iterator[Row]) -> Iterator[Example]:
        """Yields the sentences of the hub's table, with entity markers."""
        for number, row in enumerate(rows):
            values = {**row.values, "sentence": marked(row)}
            yield self.example(f"{split}-{number}", Row(row.path, row.number, values, row.unit))


def relations(path: Path) -> Iterator[Row]:
    """Yields the rows of a file in the official format, with the columns `sentence` and `relation`.

    The file consists of blocks: a number, a tab and the quoted sentence, then a line with the relation, then an
    optional comment.

    Raises:
        DataError: A sentence is not followed by its relation.
    """
    # A comment is any line between a relation and the next numbered sentence; it is skipped.
    sentence: tuple[int, str] | None = None
    for number, line in lines(path):
        if match := _NUMBERED.fullmatch(line.strip()):
            if sentence is not None:
                # Two sentences in a row: the error below names the one without a relation.
                break
            text = match["sentence"].strip()
            sentence = number, text[1:-1] if text[:1] == text[-1:] == '"' else text
        elif sentence is not None:
            yield Row(path, sentence[0], {"sentence": sentence[1], "relation": line.strip()})
            sentence = None
    if sentence is not None:
        raise Row(path, sentence[0], {}).error("no relation follows this sentence")


def marked(row: Row) -> str:
    """Returns the sentence with `[E1] [/E1]` and `[E2] [/E2]` in place of its XML tags.

    Raises:
        DataError: The four tags do not occur exactly once each.
    """
    text = row.text("sentence")
    if sorted(_MARK.findall(text)) != [("", "1"), ("", "2"), ("/", "1"), ("/", "2")]:
        raise row.error("the sentence must contain <e1>...</e1> and <e2>...</e2>, once each")
    spaced = _MARK.sub(lambda match: f" [{match[1]}E{match[2]}] ", text)
    # The added spaces double those that were there already.
    return " ".join(spaced.split())
