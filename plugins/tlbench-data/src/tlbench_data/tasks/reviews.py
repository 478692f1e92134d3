"""Classification of longer texts: film reviews and news."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tlbench import Classes, Example, SplitName
from tlbench_data.readers import Hub, Row, decoded, delimited
from tlbench_data.tasks.published_files import TableTask, by_length, fixed

_SENTIMENT = Classes(("negative", "positive"))
_TOPICS = Classes(("World", "Sports", "Business", "Sci/Tech"))


@dataclass(frozen=True)
class Imdb(TableTask):
    """IMDb film reviews in the official split, with 50,000 unlabelled ones (Maas et al., ACL 2011)."""

    name = "imdb"
    datasets = ("imdb",)
    output = _SENTIMENT
    metrics = ("accuracy", "f1")
    slices = ("length",)
    description = "Whether a film review is positive; slices by length (up to 120, up to 240, more words)"
    source = "Maas et al., Learning Word Vectors for Sentiment Analysis, ACL 2011"
    licence = "none stated"
    folders = ("aclImdb", "imdb/aclImdb", "imdb")
    files = fixed(train=("train",), test=("test",))
    splits = ("train", "unlabeled", "test")
    unlabeled_like = "train"
    sizes = fixed(train=25000, unlabeled=50000, test=25000)
    hub = Hub("stanfordnlp/imdb", "plain_text", "e6281661ce1c48d982bc483cf8a173c1bbeb5d31")
    hub_splits = fixed(train="train", unlabeled="unsupervised", test="test")

    def read(self, split: SplitName, folder: Path) -> Iterator[Example]:
        """Yields the reviews in the folders `train/pos`, `train/neg` and so on; each file is one review."""
        part, kinds = ("train", ("unsup",)) if split == "unlabeled" else (split, ("neg", "pos"))
        # Sorted, because the order of a folder's files differs between file systems.
        paths = [
            (label, path) for label, kind in enumerate(kinds) for path in sorted((folder / part / kind).glob("*.txt"))
        ]
        return self.read_hub(split, (Row(path, 1, {"text": decoded(path), "label": label}) for label, path in paths))

    def read_hub(self, split: SplitName, rows: Iterator[Row]) -> Iterator[Example]:
        """Yields the reviews of the hub's table."""
        if split != "unlabeled":
            return super().read_hub(split, rows)
        # Unlabelled reviews have -1 on the hub, which is no class: replaced to pass the check, and then removed.
        unlabelled = (replace(row, values={**row.values, "label": 0}) for row in rows)
        return (replace(example, target=None) for example in super().read_hub(split, unlabelled))

    def slices_of(self, row: Row, inputs: tuple[str, ...]) -> dict[str, str]:
        """Returns the length slice."""
        return {"length": by_length(inputs[0], 120, 240)}


@dataclass(frozen=True)
class Imdb2k(TableTask):
    """1,999 of the IMDb film reviews; not the official split (Maas et al., ACL 2011)."""

    name = "imdb-2k"
    datasets = ("imdb",)
    output = _SENTIMENT
    metrics = ("accuracy", "f1")
    slices = ("length",)
    description = "Whether a film review is positive: 1,999 of the 50,000 reviews, not the official split"
    source = Imdb.source
    licence = Imdb.licence
    folders = ("imdb_2k",)
    files = fixed(train=("train.csv",), test=("test.csv",))
    splits = ("train", "test")
    sizes = fixed(train=1600, test=399)
    codes = ("0", "1")
    slices_of = Imdb.slices_of


@dataclass(frozen=True)
class AgNews(TableTask):
    """AG News: the topic of a news item from its title and description (Zhang et al., NIPS 2015)."""

    name = "ag-news"
    datasets = ("ag_news",)
    output = _TOPICS
    metrics = ("accuracy", "f1_macro")
    description = "The topic of a news item, from its title and description"
    source = "Zhang, Zhao and LeCun, Character-level Convolutional Networks for Text Classification, NIPS 2015"
    licence = "research and other non-commercial use"
    folders = ("ag_news_csv", "ag_news")
    files = fixed(train=("train.csv",), test=("test.csv",))
    splits = ("train", "test")
    sizes = fixed(train=120000, test=7600)
    codes = ("1", "2", "3", "4")
    hub = Hub("fancyzhx/ag_news", revision="eb185aade064a813bc0b7f42de02595523103ca4")

    def rows(self, path: Path) -> Iterator[Row]:
        """Yields the rows of the file, which has no header, with title and description in one column."""
        for row in delimited(path, columns=("label", "title", "description")):
            # Joined as in the hub's copy. Not `row.text`, which refuses an empty title.
            text = f"{row.values['title']} {row.text('description')}"
            yield replace(row, values={"label": row.values["label"], "text": text})


@dataclass(frozen=True)
class AgNews8k(TableTask):
    """8,000 training items of AG News and the official test split, descriptions only (Zhang et al., NIPS 2015)."""

    name = "ag-news-8k"
    datasets = ("ag_news",)
    output = _TOPICS
    metrics = ("accuracy", "f1_macro")
    description = (
        "The topic of a news item from its description alone: 8,000 of the 120,000 for training, all of the test"
    )
    source = AgNews.source
    licence = AgNews.licence
    folders = ("ag_news_csv_8k",)
    files = fixed(train=("train.csv",), test=("test.csv",))
    splits = ("train", "test")
    sizes = fixed(train=8000, test=7600)
    texts = ("description",)
    codes = ("1", "2", "3", "4")

    def rows(self, path: Path) -> Iterator[Row]:
        """Yields the rows of the file, which has no header."""
        return delimited(path, columns=("label", "title", "description"))
