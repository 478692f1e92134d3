"""The reference of columns of leaderboards."""

from __future__ import annotations

import re

from tools.docs_site.references.docstrings import below_names, cell

_WORDS = {"str": "text", "Int64": "whole number", "float64": "number", "bool": "true or false"}


def meanings() -> dict[str, str]:
    """Returns the item of the docstring of `COLUMNS` that says what a column means, by the column's name."""
    from tlbench.results import columns

    items = re.split(r"^- ", below_names(columns)["COLUMNS"], flags=re.MULTILINE)[1:]
    texts = [" ".join(item.split()) for item in items]
    found = {}
    for name in columns.COLUMNS:
        # The item that is about a column names it in its first words; else the first that mentions it.
        texts_with = sorted(
            (text.index(f"`{name}`"), number) for number, text in enumerate(texts) if f"`{name}`" in text
        )
        found[name] = texts[texts_with[0][1]] if texts_with else ""
    return found


def shown() -> dict[str, tuple[str, ...]]:
    """Returns the columns of tables by name, each with the columns of the frame that it shows."""
    from tlbench.results.choice.named_columns import SHOWN

    return dict(SHOWN)


def column_page() -> str:
    """Returns the page."""
    from tlbench.results.columns import COLUMNS, METRIC

    by_text: dict[str, list[str]] = {}
    for name, text in meanings().items():
        by_text.setdefault(text, []).append(name)
    lines = [
        "# Columns of a leaderboard",
        "",
        "`--columns`, `--filter` and `--sort` of [`tlbench leaderboard`](commands.md#tlbench-leaderboard) take the"
        " names of both tables, and those of recorded metrics. Values are shares of 1, seconds and bytes in CSV, JSON"
        " and data frames; in printed tables and conditions, scores are in points (hundredths).",
        "",
        "## What tables show",
        "",
        "| name | columns below that it shows |",
        "| --- | --- |",
        *(f"| `{name}` | {', '.join(f'`{one}`' for one in frame)} |" for name, frame in shown().items()),
        "",
        "## All columns",
        "",
        "In CSV, JSON and the data frames of `tlbench.load_records`, in this order.",
        "",
        "| columns | type | meaning |",
        "| --- | --- | --- |",
    ]
    for text, names in by_text.items():
        kinds = dict.fromkeys(_WORDS[COLUMNS[name]] for name in names)
        plain = text.replace(f"`{METRIC}`", "`metric.`")
        lines.append(f"| {', '.join(f'`{one}`' for one in names)} | {', '.join(kinds)} | {cell(plain)} |")
    return "\n".join(lines)
