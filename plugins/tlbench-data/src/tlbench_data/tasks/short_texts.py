"""Classification of short texts: question types, intents and spam."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tlbench import Classes, Example, SplitName, draw
from tlbench_data.option_fields import option
from tlbench_data.readers import Hub, Row, delimited, lines
from tlbench_data.readers.hub_files import CONVERTED
from tlbench_data.tasks.labels import BANKING77, TREC_FINE
from tlbench_data.tasks.published_files import TableTask, fixed


@dataclass(frozen=True)
class Trec(TableTask):
    """TREC question types: six coarse classes, or fifty with `fine=true` (Li and Roth, COLING 2002)."""

    fine: bool = option(False, "whether the fifty fine classes are asked for, not the six coarse ones")

    name = "trec"
    datasets = ("trec",)
    metrics = ("accuracy", "f1_macro")
    description = "What a question asks for: abbreviation, entity, description, human, place or number"
    source = "Li and Roth, Learning Question Classifiers, COLING 2002"
    licence = "none stated"
    folders = ("trec", "TREC")
    files = fixed(train=("TREC.train", "train_5500.label"), test=("TREC.test", "TREC_10.label"))
    splits = ("train", "test")
    sizes = fixed(train=5452, test=500)
    hub = Hub("CogComp/trec", revision=CONVERTED)

    @property
    def output(self) -> Classes:  # type: ignore[override]
        """The coarse classes, or the fine ones."""
        return Classes(TREC_FINE if self.fine else ("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"))

    @property
    def label(self) -> str:  # type: ignore[override]
        """The label column."""
        return "fine_label" if self.fine else "coarse_label"

    def rows(self, path: Path) -> Iterator[Row]:
        """Yields the rows of a file with lines of the form `COARSE:fine question text`."""
        # Published in Latin-1: one training question has a byte that is not UTF-8.
        for number, line in lines(path, "latin-1"):
            if line.strip():
                fine, _, text = line.partition(" ")
                values = {"coarse_label": fine.partition(":")[0], "fine_label": fine, "text": text}
                yield Row(path, number, values)


@dataclass(frozen=True)
class Banking77(TableTask):
    """Banking77: the intent of a bank customer's question (Casanueva et al. 2020, arXiv:2003.04807)."""

    name = "banking77"
    datasets = ("banking77",)
    output = Classes(BANKING77)
    metrics = ("accuracy", "f1_macro")
    description = "Which of 77 intents a customer's question to a bank has"
    source = "Casanueva et al. 2020, Efficient Intent Detection with Dual Sentence Encoders, arXiv:2003.04807"
    licence = "CC BY 4.0"
    folders = ("banking77", "banking_data")
    files = fixed(train=("train.csv",), test=("test.csv",))
    splits = ("train", "test")
    sizes = fixed(train=10003, test=3080)
    label = "category"
    renames = fixed(label_text="category")
    hub = Hub("mteb/banking77", revision="0fd18e25b25c072e09e0d92ab615fda904d66300")


@dataclass(frozen=True)
class SmsSpam(TableTask):
    """Spam among text messages (Almeida et al., DocEng 2011).

    There is no published split: the messages are divided 80/10/10 with seed 0, stratified by class, and messages with
    the same text stay in one split.
    """

    name = "sms-spam"
    datasets = ("sms_spam",)
    output = Classes(("ham", "spam"))
    metrics = ("f1", "accuracy", "matthews")
    description = "Spam among 5,574 text messages; 80/10/10 by seed 0, stratified, repeated messages on one side"
    source = "Almeida, Gómez Hidalgo and Yamakami, Contributions to the Study of SMS Spam Filtering, DocEng 2011"
    licence = "CC BY 4.0"
    folders = ("sms_spam", "sms+spam+collection", "smsspamcollection")
    files = fixed(all=("SMSSpamCollection", "SMSSpamCollection.txt"))
    sizes = fixed(train=4461, validation=546, test=567)
    hub = Hub("ucirvine/sms_spam", "plain_text")
    # The hub has one split, from which all three are drawn.
    hub_splits = fixed(train="train", validation="train", test="train")
    renames = fixed(sms="text")

    def read(self, split: SplitName, folder: Path) -> Iterator[Example]:
        """Yields the messages of a split from the single file."""
        path = self.path(folder, "all")
        return self.read_hub(split, delimited(path, "\t", quotes=False, columns=("label", "text")))

    def read_hub(self, split: SplitName, rows: Iterator[Row]) -> Iterator[Example]:
        """Yields the messages that belong to the split; the division is seeded."""
        examples = [self.example(f"message-{number}", row) for number, row in enumerate(rows)]
        shares = {"train": 0.8, "validation": 0.1, "test": 0.1}
        # The seed is fixed, since the splits are part of the task's definition.
        parts = draw([e.inputs for e in examples], [e.target for e in examples], shares, seed=0)
        return (examples[position] for position in parts[split])
