"""Reads CoNLL files: one word per line with its tags in columns, an empty line after each sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tlbench import DataError
from tlbench_data.readers.rows import Row
from tlbench_data.readers.text_lines import lines

_DOCUMENT = "-DOCSTART-"
_DOCUMENT_COMMENTS = ("# newdoc", "#begin document")
"""Beginnings of the comments that mark documents in CoNLL-U and in CoNLL 2012."""


@dataclass
class _Sentence:
    line: int = 0
    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


def conll(
    path: Path, word: int = 0, tag: int = -1, encoding: str = "utf-8", skipped: Collection[int] = ()
) -> Iterator[Row]:
    """Yields one row per sentence with the columns `words` and `tags`.

    Columns are separated by tabs on lines that have one, else by spaces. A line of only white space, as in
    some published files, ends a sentence too, and so does a document marker, which is left out. The group of a row is
    the name of its document, such as "document 1", or empty if the file has no markers.

    Args:
        path: The file; `.gz` files are unpacked.
        word: Column of the words, from 0; negative numbers count from the end.
        tag: Column of the tags.
        encoding: Encoding of the file.
        skipped: Numbers of lines to leave out, such as comments.

    Raises:
        DataError: The file cannot be read, or a line has another number of columns than the first.
    """
    sentence = _Sentence()
    width: int | None = None
    documents = 0
    for number, line in lines(path, encoding):
        if number in skipped:
            documents += line.startswith(_DOCUMENT_COMMENTS)
            continue
        cells = cells_of(line)
        if not line.strip() or cells[0] == _DOCUMENT:
            if sentence.words:
                yield _row(path, sentence, documents)
            sentence = _Sentence()
            documents += bool(line.strip())
            continue
        # Checked, because one broken line would assign wrong tags to its words without any other error.
        width = width or len(cells)
        if len(cells) != width or len(cells) < 2:
            raise DataError(f"{path}, line {number}: {len(cells)} columns where {max(width, 2)} are expected")
        word_text, label = cells[word].strip(), cells[tag].strip()
        if not word_text or not label:
            raise DataError(f"{path}, line {number}: {'the tag' if word_text else 'the word'} is empty")
        sentence.line = sentence.line or number
        sentence.words.append(word_text)
        sentence.tags.append(label)
    # The last sentence of many files has no empty line after it.
    if sentence.words:
        yield _row(path, sentence, documents)


def cells_of(line: str) -> list[str]:
    """Returns the columns of a line, which are separated by tabs, or by spaces where there is no tab."""
    # Words of social-media text may contain spaces, which only tabs can separate from tags. No other character
    # separates columns: a no-break space may be part of a word.
    return line.split("\t") if "\t" in line else [cell for cell in line.split(" ") if cell]


def to_bio(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the tags in the BIO scheme, in which every entity begins with B-.

    The older IOB scheme of CoNLL 2003 uses B- only between neighbouring entities of one type.
    """
    bio = []
    previous = "O"
    for tag in tags:
        begins = tag.startswith("I-") and previous[2:] != tag[2:]
        bio.append(f"B-{tag[2:]}" if begins else tag)
        previous = tag
    return tuple(bio)


def _row(path: Path, sentence: _Sentence, document: int) -> Row:
    values = {"words": tuple(sentence.words), "tags": tuple(sentence.tags)}
    return Row(path, sentence.line, values, group=f"document {document}" if document else "")
