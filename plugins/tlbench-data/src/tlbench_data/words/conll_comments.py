"""Distinguishes comment lines of CoNLL files from words that begin with #."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tlbench import DataError
from tlbench_data.readers.conll import cells_of

COMMENTS = ("drop", "keep")
"""Values of `comments=`."""
_COMMENT = re.compile(r"#[ \t]|#$|#(begin|end) document\b")
_ENTITY_TAG = re.compile(r"[BIESLUMW]([-_].+)?|.+[-_][BIESLUMW]|O")


def comment_lines(path: Path, lines: Iterable[tuple[int, str]], tag: int, width: int, choice: str) -> set[int]:
    """Returns the numbers of the lines that are comments; `tag` is the column of the tags among `width` columns.

    Only lines before the first word of a sentence can be comments. Such a line is a word if other words have its tag.

    Raises:
        DataError: A line may be a comment or a word, and `choice`, the value of `comments=`, is empty.
    """
    if choice == "keep":
        return set()
    known: set[str] = set()
    candidates: list[tuple[int, str]] = []
    in_sentence = False
    for number, line in lines:
        if not line.strip():
            in_sentence = False
        elif not in_sentence and _COMMENT.match(line):
            candidates.append((number, line))
        else:
            in_sentence = True
            cells = cells_of(line)
            if len(cells) == width:
                known.add(cells[tag].strip())
    comments, doubtful = set(), {}
    for number, line in candidates:
        cells = cells_of(line)
        if len(cells) != width:
            comments.add(number)
        elif cells[tag].strip() not in known:
            doubtful[number] = cells[tag].strip()
    if not choice and all(_ENTITY_TAG.fullmatch(name) for name in known):
        return comments | {number for number, name in doubtful.items() if not _ENTITY_TAG.fullmatch(name)}
    # Several lines whose cells in the tag column all differ are comments, such as numbers: tags of words would recur.
    is_clear = len(doubtful) > 1 and len(set(doubtful.values())) == len(doubtful)
    if doubtful and not is_clear and not choice:
        number, name = next(iter(doubtful.items()))
        raise DataError(
            f"{path}, line {number}: a comment, or the word # with the tag {name!r}: set comments=drop or comments=keep"
        )
    return comments | doubtful.keys()
