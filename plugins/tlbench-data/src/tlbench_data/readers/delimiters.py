"""Finds the character that separates the columns of a text file, from its first lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

from tlbench import DataError
from tlbench_data.readers.text_lines import decoded

DELIMITERS: Mapping[str, str] = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
"""Maps each character that may be a delimiter to its name in the plural, for messages."""
_ROWS = 50


def found_delimiter(
    path: Path, usual: str, *, quotes: bool = True, header: bool = True, encoding: str = "utf-8"
) -> str:
    """Returns the delimiter that splits the first rows into several columns, equally many in each row.

    `usual` is preferred if the first line is a header, and returned if none fits, so that later errors mention it.

    Raises:
        DataError: The file cannot be read, or several delimiters fit equally well.
    """
    # The end of the sample may be in the middle of a row; a sample is enough, because the file is read in full later.
    sample = decoded(path, encoding)[: 2**20]
    widths = {each: _widths(sample, each, quotes) for each in dict.fromkeys((usual, *DELIMITERS))}
    in_header = [each for each, counts in widths.items() if counts and counts[0] > 1]
    fitting = [each for each in in_header if len(set(widths[each])) == 1]
    if (usual in fitting and header) or not in_header:
        return usual
    # In a header the usual delimiter is rarely part of a column name, but in a row of data it may be part of a text.
    if len(fitting) > 1 and (usual not in in_header or not header):
        choices = " or ".join(_option(each) for each in fitting)
        raise DataError(f"{path}: the columns may be separated by several characters: set {choices}")
    if len(fitting) == 1:
        return fitting[0]
    return usual if usual in in_header else in_header[0]


def _widths(sample: str, delimiter: str, quotes: bool) -> list[int]:
    if not quotes:
        rows = (line.removesuffix("\r").split(delimiter) for line in sample.split("\n") if line.strip("\r"))
        return [len(fields) for fields in islice(rows, _ROWS)]
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, strict=True)
    counts: list[int] = []
    # If reading stops at a stray quotation mark or the cut end of the sample, the rows before it decide.
    with suppress(csv.Error):
        counts.extend(len(fields) for fields in islice(filter(None, reader), _ROWS))
    return counts


def _option(delimiter: str) -> str:
    return (
        "delimiter=tab"
        if delimiter == "\t"
        else f'delimiter="{delimiter}"'
        if delimiter == ","
        else f"delimiter={delimiter}"
    )
