"""Strict readers of file formats: they yield rows that know their file and line."""

from tlbench_data.readers.conll import conll, to_bio
from tlbench_data.readers.hub_files import Hub
from tlbench_data.readers.row_tables import delimited, json_lines, json_list, parquet, table
from tlbench_data.readers.rows import Row
from tlbench_data.readers.squad import Question, squad
from tlbench_data.readers.text_lines import decoded, lines, parallel

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
