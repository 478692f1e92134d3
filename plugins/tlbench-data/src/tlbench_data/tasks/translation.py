"""Translation of sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tlbench import Example, SplitName, Text, UsageError
from tlbench_data import places
from tlbench_data.option_fields import option
from tlbench_data.readers import Hub, Row, parallel
from tlbench_data.tasks.published_files import FileTask, fixed

_LANGUAGES = ("cs", "de", "en", "fr")
_HUB_LANGUAGES = ("en", "de")
_STEMS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}


@dataclass(frozen=True)
class Multi30k(FileTask):
    """Multi30K: photograph captions, by default from English to German (Elliott et al. 2016, arXiv:1605.00459).

    Raises:
        UsageError: `src` or `tgt` is not a language of the data set, or both are the same.
    """

    src: str = option("en", f"language of the source: {', '.join(_LANGUAGES)}")
    tgt: str = option("de", f"language of the target: {', '.join(_LANGUAGES)}")

    name = "multi30k-en-de"
    datasets = ("multi30k", "flickr30k")
    output = Text(max_length=64)
    metrics = ("bleu", "chrf")
    description = "Translation of photograph captions; test is test_2016_flickr"
    source = "Elliott et al., Multi30K: Multilingual English-German Image Descriptions, 2016, arXiv:1605.00459"
    licence = "none stated; captions from Flickr30k, for non-commercial research and education"
    folders = ("multi30k", "multi30k/data/task1/raw", "data/task1/raw")
    sizes = fixed(train=29000, validation=1014, test=1000)
    hub = Hub("bentrevett/multi30k")
    hub_splits = fixed(train="train", validation="val", test="test")

    def __post_init__(self) -> None:
        for language in (self.src, self.tgt):
            if language not in _LANGUAGES:
                raise UsageError(f"{self.name}: no language {language!r}; choose {', '.join(_LANGUAGES)}")
        if self.src == self.tgt:
            raise UsageError(f"{self.name}: src and tgt are both {self.src}: choose two languages")

    def needed(self) -> Mapping[str, tuple[str, ...]]:
        """Returns the two files of each split, compressed or not."""
        return {f"{split}.{side}": _names(split, side) for split in _STEMS for side in (self.src, self.tgt)}

    def is_published(self) -> bool:
        """Returns whether the hub has both languages."""
        return {self.src, self.tgt} <= set(_HUB_LANGUAGES)

    def alternatives(self) -> Iterator[str]:
        """Yields the languages whose files are on this machine, and those that the hub has."""
        here = [
            language
            for language in _LANGUAGES
            if places.find(self.folders, [_names(split, language) for split in _STEMS])
        ]
        if here:
            yield f"the files of {' and '.join(here)} are here"
        if not self.is_published():
            yield f"the hub has {' and '.join(_HUB_LANGUAGES)} alone"

    def read(self, split: SplitName, folder: Path) -> Iterator[Example]:
        """Yields the pairs of lines of the split's two files."""
        source, target = (self.path(folder, f"{split}.{side}") for side in (self.src, self.tgt))
        for number, row in enumerate(parallel(source, target)):
            yield Example(f"{split}-{number}", (row.text("source"),), (row.text("target"),))

    def read_hub(self, split: SplitName, rows: Iterator[Row]) -> Iterator[Example]:
        """Yields the pairs of the hub's table, which has English and German only."""
        for number, row in enumerate(rows):
            yield Example(f"{split}-{number}", (row.text(self.src),), (row.text(self.tgt),))


def _names(split: str, language: str) -> tuple[str, ...]:
    """Returns the names that a file may have, compressed or not."""
    name = f"{_STEMS[split]}.{language}"
    return f"{name}.gz", name
