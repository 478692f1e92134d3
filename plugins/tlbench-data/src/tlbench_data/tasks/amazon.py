"""Domain adaptation on product reviews: trained on one product category, tested on another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tlbench import Classes, DataError, Example, SplitName, UsageError, draw
from tlbench_data import places
from tlbench_data.option_fields import option
from tlbench_data.readers import decoded
from tlbench_data.tasks.published_files import FileTask

_FOLDERS = {"books": "books", "dvd": "dvd", "electronics": "electronics", "kitchen": "kitchen_&_housewares"}
_LABELS = ("negative", "positive")


@dataclass(frozen=True)
class AmazonReviews(FileTask):
    """Sentiment across domains: trained on reviews of `src`, tested on reviews of `tgt` (2,000 labelled reviews each).

    The reviews of `src` are divided into train and validation (80/20), and those of `tgt` in half into unlabeled and
    test.

    Blitzer, Dredze and Pereira, ACL 2007.

    Raises:
        UsageError: `src` or `tgt` is not a domain of the data set, or both are the same.
    """

    src: str = option("books", f"domain to train on: {', '.join(_FOLDERS)}")
    tgt: str = option("dvd", f"domain to test on: {', '.join(_FOLDERS)}")

    name = "amazon-mdsd"
    output = Classes(_LABELS)
    metrics = ("accuracy", "f1")
    group = "product"
    description = (
        "Whether a product review is positive, learnt on one domain (src) and tested on another (tgt). Train and "
        "validation are 80/20 of the source's labelled reviews, unlabeled and test halves of the target's, by seed 0; "
        "reviews that repeat stand on one side"
    )
    source = "Blitzer, Dredze and Pereira, Biographies, Bollywood, Boom-boxes and Blenders, ACL 2007"
    licence = "none stated"
    folders = ("amazon_mdsd/sorted_data_acl", "sorted_data_acl")
    splits = ("train", "validation", "unlabeled", "test")
    unlabeled_like = "test"

    def __post_init__(self) -> None:
        for domain in (self.src, self.tgt):
            if domain not in _FOLDERS:
                raise UsageError(f"{self.name}: no domain {domain!r}; choose {', '.join(_FOLDERS)}")
        if self.src == self.tgt:
            raise UsageError(f"{self.name}: src and tgt are both {self.src}: choose two domains")

    def needed(self) -> Mapping[str, tuple[str, ...]]:
        """Returns the two files of each of the two domains."""
        names = [name for domain in (self.src, self.tgt) for name in _files(domain)]
        return {name: (name,) for name in names}

    def alternatives(self) -> Iterator[str]:
        """Yields one text that names the domains on this machine, if any."""
        here = [domain for domain in _FOLDERS if places.find(self.folders, [(name,) for name in _files(domain)])]
        if here:
            yield f"the files of {' and '.join(here)} are here"

    def read(self, split: SplitName, folder: Path) -> Iterator[Example]:
        """Yields the reviews of the split, which a seed determines; the group of a review is its product."""
        from_source = split in ("train", "validation")
        domain = self.src if from_source else self.tgt
        # All reviews of the domain, for every split, because the draw must see the same rows each time.
        examples = [
            Example(f"{domain}-{label}-{number}", (text,), target, group=product)
            for target, label in enumerate(_LABELS)
            for number, (text, product) in enumerate(reviews(folder / _FOLDERS[domain] / f"{label}.review"))
        ]
        shares = {"train": 0.8, "validation": 0.2} if from_source else {"unlabeled": 0.5, "test": 0.5}
        # The seed is fixed, since the splits are part of the task's definition.
        parts = draw([e.inputs for e in examples], [e.target for e in examples], shares, seed=0)
        for position in parts[split]:
            yield replace(examples[position], target=None) if split == "unlabeled" else examples[position]


def _files(domain: str) -> list[str]:
    return [f"{_FOLDERS[domain]}/{label}.review" for label in _LABELS]


def reviews(path: Path) -> Iterator[tuple[str, str]]:
    """Yields the title with the text, and the product's number, of each `<review>` of a file.

    Raises:
        DataError: A review has no text.
    """
    # Looks like XML but is not: ampersands are not escaped, so an XML parser would fail.
    for number, block in enumerate(decoded(path).split("<review>\n")[1:], 1):
        title, text = (_tag_content(block, tag) for tag in ("title", "review_text"))
        if not text:
            raise DataError(f"{path}, review {number}: review_text is empty")
        yield f"{title}\n{text}" if title else text, _tag_content(block, "asin")


def _tag_content(block: str, tag: str) -> str:
    _, _, rest = block.partition(f"<{tag}>")
    return rest.partition(f"</{tag}>")[0].strip()
