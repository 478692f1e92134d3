"""Strict readers of file formats; the rows that they yield record their file and line for error messages."""

from tlbench_data.readers.conll import conll, to_bio
from tlbench_data.readers.delimiters import DELIMITERS, found_delimiter
from tlbench_data.readers.hub_files import Hub
from tlbench_data.readers.json_tables import json_table
from tlbench_data.readers.row_tables import class_names, delimited, json_lines, json_list, parquet, table
from tlbench_data.readers.rows import Row
from tlbench_data.readers.squad import Question, squad
from tlbench_data.readers.text_lines import decoded, lines, parallel

__all__ = [
    "DELIMITERS",
    "Hub",
    "Question",
    "Row",
    "class_names",
    "conll",
    "decoded",
    "delimited",
    "found_delimiter",
    "json_lines",
    "json_list",
    "json_table",
    "lines",
    "parallel",
    "parquet",
    "squad",
    "table",
    "to_bio",
]
