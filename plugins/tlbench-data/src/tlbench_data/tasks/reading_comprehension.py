"""Extractive question answering: the answer is a span of the context."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tlbench import Example, Span, SplitName
from tlbench_data.readers import Hub, Row, squad
from tlbench_data.readers.squad import answers_in
from tlbench_data.tasks.published_files import FileTask, fixed


@dataclass(frozen=True)
class Squad(FileTask):
    """SQuAD 1.1 (Rajpurkar et al., EMNLP 2016).

    The test split is not public: the official dev set replaces it, and validation is carved from train.
    """

    name = "squad"
    datasets = ("squad",)
    output = Span()
    metrics = ("answer_f1", "exact_match")
    group = "article"
    description = "Questions on Wikipedia paragraphs; test is the official dev set, validation is carved from train"
    source = "Rajpurkar et al., SQuAD: 100,000+ Questions for Machine Comprehension of Text, EMNLP 2016"
    licence = "CC BY-SA 4.0"
    folders = ("squad_v1.1", "squad", "SQuAD")
    files = fixed(train=("train-v1.1.json",), test=("dev-v1.1.json",))
    splits = ("train", "test")
    sizes = fixed(train=87599, test=10570)
    hub = Hub("rajpurkar/squad", "plain_text", "7b6d24c440a36b6815f21b70d25016731768db1f")
    hub_splits = fixed(train="train", test="validation")

    def read(self, split: SplitName, folder: Path) -> Iterator[Example]:
        """Yields the questions of the split's file, with their own ids; the group is the article."""
        for item in squad(self.path(folder, split)):
            yield Example(item.id, (item.question, item.context), item.answers, group=item.article)

    def read_hub(self, split: SplitName, rows: Iterator[Row]) -> Iterator[Example]:
        """Yields the questions of the hub's table, with their own ids; the group is the article."""
        for row in rows:
            # Not `text`, which strips: answers are character positions in the context as published.
            question, context = row.text("question"), row.value("context")
            accepted = row.value("answers")
            spans = list(zip(accepted["text"], accepted["answer_start"], strict=True))
            answers = answers_in(context, spans, f"{row.path}, row {row.number}")
            article = str(row.values.get("title") or "")
            yield Example(row.text("id"), (question, context), answers, group=article)


@dataclass(frozen=True)
class SquadV2(Squad):
    """SQuAD 2.0, with questions that the context does not answer; splits as in `squad` (Rajpurkar et al., ACL 2018)."""

    name = "squad-v2"
    datasets = ("squad_v2",)
    description = "As squad, with questions that have no answer; test is the official dev set"
    source = "Rajpurkar, Jia and Liang, Know What You Don't Know: Unanswerable Questions for SQuAD, ACL 2018"
    folders = ("squad_v2.0", "squad_v2", "SQuAD")
    files = fixed(train=("train-v2.0.json",), test=("dev-v2.0.json",))
    sizes = fixed(train=130319, test=11873)
    hub = Hub("rajpurkar/squad_v2", "squad_v2", "3ffb306f725f7d2ce8394bc1873b24868140c412")


@dataclass(frozen=True)
class SquadDevParts(FileTask):
    """SQuAD 1.1's dev set in two parts, one for training and one for test; not comparable with SQuAD.

    Rajpurkar et al., EMNLP 2016.
    """

    name = "squad-dev-parts"
    datasets = ("squad",)
    output = Span()
    metrics = ("answer_f1", "exact_match")
    group = "article"
    description = (
        "Half of SQuAD 1.1's dev articles train, the other half test; the last five of the first half validate. "
        "No article is in two splits. Not comparable with SQuAD"
    )
    source = Squad.source
    licence = Squad.licence
    folders = ("squad_v1.1",)
    files = fixed(first=("dev-v1.1.part1.json",), second=("dev-v1.1.part2.json",))
    sizes = fixed(train=4697, validation=912, test=4961)

    def read(self, split: SplitName, folder: Path) -> Iterator[Example]:
        """Yields the questions of a split, with their own ids; the group is the article."""
        items = list(squad(self.path(folder, "second" if split == "test" else "first")))
        # Whole articles are held out: questions on one paragraph would otherwise be in two splits.
        held_out = set(list(dict.fromkeys(item.article for item in items))[-5:])
        for item in items:
            if split == "test" or (item.article in held_out) == (split == "validation"):
                yield Example(item.id, (item.question, item.context), item.answers, group=item.article)
