"""Words in columns, as the CoNLL shared tasks write them: a word on each line, an empty line after each sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tlbench import DataError
from tlbench_data.readers.rows import Row
from tlbench_data.readers.text_lines import lines

_DOCUMENT = "-DOCSTART-"


@dataclass
class _Sentence:
    line: int = 0
    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


def conll(path: Path, word: int = 0, tag: int = -1, encoding: str = "utf-8") -> Iterator[Row]:
    """Yields sentences as rows with the columns `words` and `tags`; lines that begin a document are left out.

    Columns stand apart by tabs where a line has one, else by white space. A line of white space alone ends a
    sentence too: published files have them.

    Raises:
        DataError: Not readable, or a line with another number of columns than the first.
    """
    now = _Sentence()
    width: int | None = None
    for number, line in lines(path, encoding):
        if not line.strip():
            if now.words:
                yield _row(path, now)
            now = _Sentence()
            continue
        cells = line.split("\t") if "\t" in line else line.split()
        if cells[0] == _DOCUMENT:
            continue
        width = width or len(cells)
        if len(cells) != width or len(cells) < 2:
            raise DataError(f"{path}, line {number}: {len(cells)} columns where {max(width, 2)} are expected")
        chosen, label = cells[word].strip(), cells[tag].strip()
        if not chosen or not label:
            raise DataError(f"{path}, line {number}: {'the tag' if chosen else 'the word'} is empty")
        now.line = now.line or number
        now.words.append(chosen)
        now.tags.append(label)
    if now.words:
        yield _row(path, now)


def to_bio(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the tags so that every entity begins with B-; older files write B- between like neighbours only."""
    found = []
    before = "O"
    for tag in tags:
        begins = tag.startswith("I-") and before[2:] != tag[2:]
        found.append(f"B-{tag[2:]}" if begins else tag)
        before = tag
    return tuple(found)


def _row(path: Path, sentence: _Sentence) -> Row:
    return Row(path, sentence.line, {"words": tuple(sentence.words), "tags": tuple(sentence.tags)})
