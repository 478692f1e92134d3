"""The checks of renderers are shown some that break them, and right ones of a third party that pass."""

from __future__ import annotations

import html
import io
import json
import re

import pytest

from tlbench.contracts.renderer import Renderer
from tlbench.results.render.escaping import code_span, spreadsheet
from tlbench.testing.conformance import RendererConformance
from tlbench.testing.conformance.media import HOSTILE


def checks(render, medium):
    class Made(Renderer):
        name = "made"

        def render(self, page):
            return render(page)

    return type("Check", (RendererConformance,), {"renderer": Made(), "medium": medium})()


def texts(page):
    """Returns the rows of a page: its names, labels, reasons and notes, each with a score or nothing."""
    rows = [(page.title, page.command)]
    for section in page.sections:
        rows += [(section.task, section.metric)]
        rows += [(line.values["strategy"].text, line.values["score"].text) for line in section.lines]
    rows += [(failure.title, failure.reason) for failure in page.failures]
    return rows + [(note, mark) for mark, note in page.notes] + [(sentence, "") for sentence in page.legend]


def rows_of(escape, row):
    return lambda page: "".join(row.format(*map(escape, pair)) for pair in texts(page))


def markdown(escape):
    row = rows_of(escape, "| {} | {} |\n")
    return lambda page: f"| a | b |\n| --- | --- |\n{row(page)}"


def written_to_a_terminal(page):
    from rich.console import Console

    console = Console(file=io.StringIO(), width=80)
    for name, other in texts(page):
        console.print(f"[bold]{name}[/bold] {other}")
    return console.file.getvalue()


def latex(text):
    return re.sub(r"[\\%$&#_{}^~]", lambda one: rf"\char{ord(one[0])} ", text)


def exact(page):
    """The values as recorded, which nothing has made harmless."""
    return "".join(f"{line.values['strategy'].value}\n" for section in page.sections for line in section.lines)


def without_formulas(text):
    return spreadsheet(text).replace('"', '""')


BAD = {
    "html as it is": ("html", rows_of(str, "<p>{}<b>{}</b></p>\n"), "HTML"),
    "quotes in an attribute": (
        "html", rows_of(lambda t: html.escape(t, False), '<p title="{}">{}</p>'), "an attribute",
    ),
    "single quotes in an attribute": (
        "html", rows_of(lambda t: html.escape(t).replace("&#x27;", "'"), "<p title='{}'>{}</p>"),
        "an attribute in single quotes",
    ),
    "an attribute without quotes": ("html", rows_of(html.escape, "<p title={}>{}</p>"), "an attribute without quotes"),
    "a link to a name": ("html", rows_of(html.escape, '<a href="{}">{}</a>'), "an address that is a script"),
    "half escaped": (
        "html", rows_of(lambda t: t.replace("<", "&lt;").replace(">", "&gt;"), "<p>{}<b>{}</b></p>"), "entities",
    ),
    "markdown as it is": ("markdown", markdown(str), "links in Markdown"),
    "markdown without bars": ("markdown", markdown(html.escape), "bars and code"),
    "markdown with emphasis": (
        "markdown", markdown(lambda t: html.escape(t).replace("|", "&#124;")), "emphasis in Markdown",
    ),
    "a paragraph of Markdown": ("markdown", rows_of(html.escape, "{} {}\n\n"), "a heading"),
    "csv without quotes": ("csv", rows_of(spreadsheet, "{},{}\n"), "separators"),
    "csv with formulas": ("csv", rows_of(lambda t: t.replace('"', '""'), '"{}","{}"\n'), "a formula"),
    "csv with a formula by at": (
        "csv", rows_of(lambda t: t.replace('"', '""').replace("=", "'="), '"{}","{}"\n'), "a formula with an at",
    ),
    "json by hand": ("json", lambda page: f'["{page.title}"]', "members of JSON"),
    "escapes to a terminal": ("terminal", exact, "terminal escapes"),
    "invisible characters": ("text", exact, "invisible characters"),
    "line breaks": ("text", lambda page: exact(page).replace("\r", "").replace("\x0b", ""), "line breaks"),
    "rich's markup": ("terminal", written_to_a_terminal, "rich markup"),
    "latex as it is": ("latex", rows_of(str, "{} {}\n\n"), "LaTeX"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_escaped_is_caught(case):
    medium, render, kind = BAD[case]
    expected = Exception if case == "rich's markup" else AssertionError
    with pytest.raises(expected, match=r"are not escaped for|it is not JSON|closing tag"):
        checks(render, medium).test_hostile_names(kind)


RIGHT = {
    "html": ("html", rows_of(html.escape, '<p title="{}">{}</p>\n')),
    "markdown": ("markdown", markdown(code_span)),
    "csv": ("csv", rows_of(without_formulas, '"{}","{}"\r\n')),
    "tsv": ("tsv", rows_of(without_formulas, '"{}"\t"{}"\n')),
    "json": ("json", lambda page: json.dumps(texts(page))),
    "colours": ("terminal", rows_of(str, "\x1b[1m{}\x1b[0m {}\n")),
    "text": ("text", rows_of(str, "{}: {}\n")),
    "latex": ("latex", rows_of(latex, "{} & {} \\\\\n")),
}


@pytest.mark.parametrize("case", RIGHT)
@pytest.mark.parametrize("kind", HOSTILE)
def test_what_escapes_for_its_medium_passes(case, kind):
    medium, render = RIGHT[case]
    checks(render, medium).test_hostile_names(kind)


@pytest.mark.parametrize(("medium", "message"), [
    (None, "medium = None: set it to one of text, terminal, html"),
    ("pdf", "medium = 'pdf'"),
    ("text", "it is HTML"),
])  # fmt: skip
def test_a_medium_that_is_not_said_or_is_another_is_caught(medium, message):
    with pytest.raises(AssertionError, match=message):
        checks(RIGHT["html"][1], medium).test_hostile_names("HTML")


def test_a_renderer_that_needs_a_column_is_caught():
    check = checks(
        lambda page: "".join(line.values["score"].text for one in page.sections for line in one.lines), "text"
    )
    with pytest.raises(KeyError, match="score"):
        check.test_chosen_columns()


@pytest.mark.parametrize(("made", "message"), [(b"x", "bytes and not a str"), (None, "NoneType"), ("\ud83d", "U.D83D")])
def test_what_is_no_text_is_caught(made, message):
    check = checks(lambda page: made, "text")
    for name in ("test_an_empty_page", "test_the_same_page_gives_the_same_text", "test_shows_every_score_and_name"):
        with pytest.raises(AssertionError, match=message):
            getattr(check, name)()
