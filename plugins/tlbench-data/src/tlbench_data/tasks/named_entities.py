"""Named-entity recognition tasks, with one BIO tag per word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tlbench import Example, SplitName, Task, TokenClasses
from tlbench_data.readers import Hub, Row, conll, to_bio
from tlbench_data.readers.hub_files import CONVERTED
from tlbench_data.readers.rows import listed, shown
from tlbench_data.tasks.published_files import FileTask, fixed


def _bio(*kinds: str) -> TokenClasses:
    return TokenClasses(("O", *(f"{begin}-{kind}" for kind in kinds for begin in "BI")))


def _tags(task: Task) -> TokenClasses:
    assert isinstance(task.output, TokenClasses)
    return task.output


def tagged(identity: str, row: Row, output: TokenClasses, words: str = "words", tags: str = "tags") -> Example:
    """Returns the example of a sentence whose tags are names or class indices.

    Raises:
        DataError: A tag is unknown, or there is not one tag per word.
    """
    sentence, labels = row.texts(words), row.value(tags)
    if len(sentence) != len(labels) or not sentence:
        raise row.error(f"{len(labels)} tags for {len(sentence)} words")
    # The hub's tables have class indices, CoNLL files have names.
    names = [output.names[tag] if isinstance(tag, int) and 0 <= tag < len(output.names) else tag for tag in labels]
    # Files of CoNLL 2003 use the older IOB scheme; BIO tags stay as they are.
    bio = to_bio(tuple(str(tag) for tag in names))
    if unknown := [tag for tag in bio if tag not in output.names]:
        raise row.error(f"the tag {shown(unknown[0])} is none of {listed(output.names)}")
    return Example(identity, (sentence,), tuple(output.names.index(tag) for tag in bio), group=row.group)


@dataclass(frozen=True)
class EntityTask(FileTask):
    """Base class of tasks in CoNLL files, with the word in the first column and its tag in the last.

    The group of a test sentence is its document, where the files mark documents.
    """

    metrics = ("entity_f1", "entity_precision", "entity_recall", "accuracy")
    group = "document"

    def read(self, split: SplitName, folder: Path) -> Iterator[Example]:
        """Yields the sentences of the split's file."""
        for number, row in enumerate(conll(self.path(folder, split))):
            yield tagged(f"{split}-{number}", row, _tags(self))

    def read_hub(self, split: SplitName, rows: Iterator[Row]) -> Iterator[Example]:
        """Yields the sentences of the hub's table."""
        # The hub's copies have a few sentences without words, which the published counts exclude.
        non_empty = (row for row in rows if row.value("tokens"))
        for number, row in enumerate(non_empty):
            yield tagged(f"{split}-{number}", row, _tags(self), "tokens", "ner_tags")


@dataclass(frozen=True)
class Wnut17(EntityTask):
    """Rare and emerging entities in social-media texts (Derczynski et al., W-NUT 2017).

    The files mark no documents, so test sentences count as independent.
    """

    name = "wnut17"
    datasets = ("wnut_17",)
    output = _bio("corporation", "creative-work", "group", "location", "person", "product")
    description = "Rare and emerging entities in posts: person, place, company, group, product, work"
    source = "Derczynski et al., Results of the WNUT2017 Shared Task, W-NUT 2017"
    licence = "CC BY 4.0"
    folders = ("wnut17", "wnut_17", "emerging_entities_17")
    files = fixed(train=("wnut17train.conll",), validation=("emerging.dev.conll",), test=("emerging.test.annotated",))
    sizes = fixed(train=3394, validation=1009, test=1287)
    hub = Hub("leondz/wnut_17", revision=CONVERTED)


@dataclass(frozen=True)
class Conll2003(EntityTask):
    """Entities in Reuters news (Tjong Kim Sang and De Meulder, CoNLL 2003).

    Document markers are not read as sentences; they divide the test sentences into groups. The hub's copy has no
    markers. Tags in the IOB scheme are converted to BIO.
    """

    name = "conll2003"
    datasets = ("conll2003",)
    output = _bio("PER", "ORG", "LOC", "MISC")
    description = "Persons, organisations, places and others in Reuters news"
    source = "Tjong Kim Sang and De Meulder, Introduction to the CoNLL-2003 Shared Task, CoNLL 2003"
    licence = "annotations for research; the texts need the Reuters Corpus agreement"
    folders = ("conll2003", "CoNLL-2003", "conll03")
    files = fixed(
        train=("eng.train", "train.txt"), validation=("eng.testa", "valid.txt"), test=("eng.testb", "test.txt")
    )
    sizes = fixed(train=14041, validation=3250, test=3453)
    hub = Hub("eriktks/conll2003", revision=CONVERTED)
