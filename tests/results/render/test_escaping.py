"""Hostile strings are made harmless for each format."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlbench.results.render.escaping import LIMIT, code_span, markdown_text, plain_text, printable, spreadsheet

HOSTILE = [
    "bert[/foo]",
    "[red]x[/red]",
    "[link=https://evil.example]x[/link]",
    "\x1b[31mred",
    "\x1b]8;;https://evil.example\x07x\x1b]8;;\x07",
    "\x9b2Jx",
    '=HYPERLINK("https://evil.example")',
    "@SUM(1)",
    "<script>alert(1)</script>",
    "a|b",
    "a\\|b",
    "`code` ``x``",
    "![x](https://evil.example)",
    "line\nbreak\r\n# heading",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "zero\u200bwidth",
    "z" + "\u0301" * 50,
    "tail\\",
    "\ud800",
]
text = st.text() | st.text(alphabet="\\[]/ab=#@:(`|<>*_~!\x1b\n\t -+\u202e")


@pytest.mark.parametrize(("given", "shown"), [
    ("bert[/foo]", "bert[/foo]"),
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x1b]8;;https://evil.example\x07x\x1b]8;;\x07", "x"),
    ("\x1b]0;title\x1b\\x", "x"),
    ("\x9b2Jx", "x"),
    ("\u202egnp.exe", "gnp.exe"),
    ("a\nb\tc\u2028d", "a b c d"),
    ("  a  ", "a"),
    ("z" + "\u0301" * 50, "z" + "\u0301" * 3),
    ("Größe 模型 é", "Größe 模型 é"),
    ("\ud800", ""),
])  # fmt: skip
def test_printable_removes_what_is_invisible(given, shown):
    assert printable(given) == shown


@given(text)
def test_printable_is_one_line_without_anything_invisible(value):
    shown = printable(value)
    assert len(shown) <= LIMIT
    assert printable(shown) == shown
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    shown.encode()


def test_long_strings_are_cut_and_say_so():
    assert printable("x" * 10_000) == "x" * (LIMIT - 1) + "…"
    assert printable("x" * 20, limit=5) == "xxxx…"


@given(text)
def test_markdown_text_holds_nothing_but_text_and_code(value):
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    blocks = parser.parse(f"- {markdown_text(value)}")
    kinds = {token.type for block in blocks for token in (block, *(block.children or ()))}
    assert kinds <= {
        "bullet_list_open", "list_item_open", "paragraph_open", "inline", "text", "code_inline", "text_special",
        "paragraph_close", "list_item_close", "bullet_list_close",
    }  # fmt: skip


@pytest.mark.parametrize("label", ["macro F1 (lower is better)", "R²", "top-5 accuracy", 'trials "-": 1= (± .05)'])
def test_markdown_text_leaves_what_is_no_markup_as_it_is(label):
    assert markdown_text(label) == label


def test_the_punctuation_of_a_sentence_is_not_a_part_of_its_code() -> None:
    assert markdown_text("the cheapest is lora[r=4]: 2 s, not dora[r=4], nor x") == (
        "the cheapest is `lora[r=4]`: 2 s, not `dora[r=4]`, nor x"
    )


@given(text)
def test_plain_text_has_no_styles_of_its_own(value):
    assert plain_text(value).plain == printable(value)
    assert plain_text(value).spans == []


@given(text)
def test_a_code_span_ends_only_at_its_end_and_no_bar_leaves_its_cell(value):
    span = code_span(value)
    if not span:
        return
    assert span.startswith("`")
    assert span.endswith("`")
    assert "`" not in span[1:-1]
    cells, escaped = 1, False
    for character in f"{span} |"[:-2]:
        cells += character == "|" and not escaped
        escaped = character == "\\" and not escaped
    assert cells == 1
    # The backtick that closes it stands behind no backslash: a table reader would take that for an escape.
    assert not span[:-1].endswith("\\")


@given(text)
def test_no_cell_is_a_formula(value):
    cell = spreadsheet(value)
    assert not cell or cell[0] not in "=+-@\t\r|%\uff1d\uff0b\uff0d\uff20"
    assert cell.lstrip("'") == printable(value).lstrip("'")


@pytest.mark.parametrize("value", HOSTILE)
def test_a_spreadsheet_reads_one_cell(value):
    line = io.StringIO()
    csv.writer(line).writerow([spreadsheet(value), "next"])
    assert list(csv.reader([line.getvalue()])) == [[spreadsheet(value), "next"]]
