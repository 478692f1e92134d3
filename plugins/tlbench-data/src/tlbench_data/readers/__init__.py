"""Readers of file formats: each gives rows that know their file and line, and refuses what it cannot read."""

from tlbench_data.readers.columns import conll, to_bio
from tlbench_data.readers.hubfiles import Hub
from tlbench_data.readers.questions import Question, squad
from tlbench_data.readers.rows import Row
from tlbench_data.readers.tables import delimited, json_lines, json_list, parquet, table
from tlbench_data.readers.texts import decoded, lines, parallel

__all__ = [
    "Hub",
    "Question",
    "Row",
    "conll",
    "decoded",
    "delimited",
    "json_lines",
    "json_list",
    "lines",
    "parallel",
    "parquet",
    "squad",
    "table",
    "to_bio",
]
