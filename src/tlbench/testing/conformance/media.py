"""Finds injected structure in rendered text: markup, links, formulas and escape sequences that come from names."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Any, Literal

from tlbench.results.render.escaping import ESCAPES, is_invisible

Medium = Literal["text", "terminal", "html", "markdown", "csv", "tsv", "json", "latex"]
"""The format of a rendered text; use `html` for SVG and XML too. `csv` and `tsv` are checked as a spreadsheet reads
them, `markdown` as GitHub does."""

HOSTILE: Mapping[str, str] = {
    "terminal escapes": "\x1b[8mhidden\x1b[0m \x1b]0;title\x07 \x9b2J \x1b]8;;https://evil.example\x1b\\link",
    "invisible characters": "x\u202egnp.exe\u2066y\u200bz\x00\x08\x7f",
    "line breaks": "x\nNEXT\r\n# NEXT\rNEXT\u2028NEXT\x0bNEXT\x85- NEXT",
    "tabs": "\t=1+1\tx",
    "HTML": "--></td></style></title></script><script>alert(1)</script><img src=x onerror=alert(1)><!--",
    "an attribute": "\" onmouseover=\"alert(1)\" x=\"",
    "an attribute in single quotes": "' onfocus='alert(1)' x='",
    "an attribute without quotes": "x onclick=alert(1) y",
    "an address that is a script": "javascript:alert(1)//",
    "entities": "R&lt;b&gt;&#60;i&#62;.",
    "rich markup": "[red]x[/red] bert[/foo] [link=https://evil.example]y[/link]",
    "links in Markdown": "![x](https://evil.example/x.png) [y](javascript:alert(1)) <https://evil.example>",
    "an address": "see https://evil.example or www.evil.example",
    "emphasis in Markdown": "**b** __c__ *d* _e_ ~~f~~",
    "a heading": "# x",
    "an item of a list": "- x",
    "bars and code": "a|b`c\\|d``e|",
    "a backslash": "x\\",
    "a formula": "=HYPERLINK(\"https://evil.example\")",
    "a formula with a plus": "+SUM(1)",
    "a formula with a minus": "-SUM(1)",
    "a formula with an at": "@SUM(1)",
    "separators": "x\"y\",z;w",
    "members of JSON": "x\", \"y\": [\"z\"], \"w\": \"",
    "LaTeX": "\\input{/etc/passwd} per%cent dollar$sign and&sign hash#sign under_score {brace}",
}  # fmt: skip
"""Names that some format or program would interpret, by the kind of attack."""
_CELLS = re.compile(r"(?<!\\)\|")
_FORMULA = re.compile(r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_LATEX = ("\\input{", "per%cent", "dollar$sign", "and&sign", "hash#sign", "under_score", "{brace}")
_SCRIPTS = ("javascript:", "vbscript:", "data:text/html")
_ADDRESSES = {"href", "xlink:href", "src", "action", "formaction", "data", "poster"}
_ADDRESS = re.compile(r"://|www\.")


def taken_for_commands(medium: Medium | None, written: str, harmless: str) -> list[str]:
    """Returns the structure that a page with hostile names has in addition to the same page with harmless names.

    Args:
        medium: The format of both texts.
        written: The page with hostile names.
        harmless: The same page with harmless names.

    Raises:
        AssertionError: The medium is unknown, or a text is not valid in it.
    """
    structure = None if medium is None else _STRUCTURE.get(medium)
    assert structure is not None, f"medium = {medium!r}: set it to one of {', '.join(_STRUCTURE)}"
    # Claiming to be text would skip the checks of markup.
    assert medium not in {"text", "terminal"} or not re.search(r"</\w+>", harmless), "it is HTML: set medium = 'html'"
    hidden = _hidden(written) - _hidden(harmless)
    problems = [f"characters that nobody sees: {', '.join(sorted(hidden))}"] if hidden else []
    return problems + sorted(structure(written) - structure(harmless))


def _hidden(text: str) -> set[str]:
    """Returns the distinct escape sequences and invisible characters, except line ends and tabs."""
    text = text.replace("\r\n", "\n")
    sequences = {ascii(sequence) for sequence in ESCAPES.findall(text)}
    # Unassigned characters are left out: which ones are depends on the version of Unicode that Python has.
    rest = set(ESCAPES.sub("", text)) - {"\n", "\t"}
    return sequences | {f"U+{ord(one):04X}" for one in rest if is_invisible(one) and unicodedata.category(one) != "Cn"}


def _no_structure(text: str) -> Counter[str]:
    return Counter()


class _Tags(HTMLParser):
    """Collects the kinds of tags, attributes and declarations in HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.kinds: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.kinds |= {f"<{tag}>", *(f"<{tag} {name}=...>" for name, _ in attrs)}
        for name, value in attrs:
            # Browsers ignore white space in a scheme: "java\nscript:" runs as well.
            if name in _ADDRESSES and "".join((value or "").split()).lower().startswith(_SCRIPTS):
                self.kinds.add(f"a script as an address: <{tag} {name}=...>")

    def handle_endtag(self, tag: str) -> None:
        self.kinds.add(f"</{tag}>")

    def handle_comment(self, data: str) -> None:
        self.kinds.add("a comment")

    def handle_decl(self, decl: str) -> None:
        self.kinds.add("a declaration")

    def handle_pi(self, data: str) -> None:
        self.kinds.add("an instruction")


def _html(text: str) -> Counter[str]:
    parser = _Tags()
    parser.feed(text)
    parser.close()
    if "R&lt;b" in text:
        parser.kinds.add("an & of a name that begins an entity")
    # Kinds, not numbers of occurrences: a renderer may split a longer name into several elements.
    return Counter(parser.kinds)


def _markdown(text: str) -> Counter[str]:
    # A dependency of rich, so it is always installed.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    # Without `text_join`, escaped characters stay separate tokens; merged into the text, "https\://x" would look like
    # a link.
    parser.disable("text_join", ignoreInvalid=True)
    structure: Counter[str] = Counter()
    lines = text.splitlines()
    for block in parser.parse(text):
        if block.type == "table_open" and block.map:
            structure.update(
                f"a table's row with {len(_CELLS.findall(line))} bars" for line in lines[slice(*block.map)]
            )
        for token in (block, *(block.children or ())):
            if token.type == "text" and _ADDRESS.search(token.content):
                structure["an address that becomes a link"] += 1
            elif token.type not in {"text", "text_special", "code_inline", "inline", "softbreak"}:
                structure[f"{token.type} {token.tag}".strip()] += 1
    return structure


def _table(separator: str) -> Callable[[str], Counter[str]]:
    def structure(text: str) -> Counter[str]:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
        counts = Counter(f"a row of {len(row)} cells" for row in rows)
        counts.update({f"the formula {cell!r}": 1 for row in rows for cell in row if _is_formula(cell)})
        return counts

    return structure


def _is_formula(cell: str) -> bool:
    # A lone "-" is the usual sign for a missing value, and negative numbers are numbers.
    if not _FORMULA.match(cell) or cell == "-":
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False


def _json(text: str) -> Counter[str]:
    try:
        return Counter({"a value that a name adds": _count_values(json.loads(text))})
    except ValueError as error:
        raise AssertionError(f"it is not JSON: {error}") from None


def _count_values(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count_values, parts))


def _latex(text: str) -> Counter[str]:
    return Counter(f"{part} without an escape" for part in _LATEX if part in text)


_STRUCTURE: Mapping[Medium, Callable[[str], Counter[str]]] = {
    "text": _no_structure, "terminal": _no_structure, "html": _html, "markdown": _markdown, "csv": _table(","),
    "tsv": _table("\t"), "json": _json, "latex": _latex,
}  # fmt: skip
