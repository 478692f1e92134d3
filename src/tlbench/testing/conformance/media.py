"""What the program that shows a rendering takes for structure or for a command, so that names can be kept from both."""

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
"""What a rendering is read by: `text` any editor, `html` a browser (SVG and XML too), `markdown` GitHub, `csv` and
`tsv` a spreadsheet."""

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
"""Names that some program takes for a command or for structure, by what they are."""
_CELLS = re.compile(r"(?<!\\)\|")
_FORMULA = re.compile(r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_LATEX = ("\\input{", "per%cent", "dollar$sign", "and&sign", "hash#sign", "under_score", "{brace}")
_SCRIPTS = ("javascript:", "vbscript:", "data:text/html")
_ADDRESSES = {"href", "xlink:href", "src", "action", "formaction", "data", "poster"}
_ADDRESS = re.compile(r"://|www\.")


def taken_for_commands(medium: Medium | None, written: str, harmless: str) -> list[str]:
    """Returns what a rendering of hostile names has that the same page of harmless names has not, a line each.

    Raises:
        AssertionError: There is no such medium, or one of the renderings cannot be read as it.
    """
    structure = None if medium is None else _STRUCTURE.get(medium)
    assert structure is not None, f"medium = {medium!r}: say what the text is read by, one of {', '.join(_STRUCTURE)}"
    assert medium not in {"text", "terminal"} or not re.search(r"</\w+>", harmless), "it is HTML: say medium = 'html'"
    hidden = _hidden(written) - _hidden(harmless)
    found = [f"characters that nobody sees: {', '.join(sorted(hidden))}"] if hidden else []
    return found + sorted(structure(written) - structure(harmless))


def _hidden(text: str) -> set[str]:
    """Returns the kinds of escape sequences and of invisible characters, but for the ends of lines and tabs."""
    text = text.replace("\r\n", "\n")
    sequences = {ascii(sequence) for sequence in ESCAPES.findall(text)}
    rest = set(ESCAPES.sub("", text)) - {"\n", "\t"}
    return sequences | {f"U+{ord(one):04X}" for one in rest if is_invisible(one) and unicodedata.category(one) != "Cn"}


def _nothing(text: str) -> Counter[str]:
    return Counter()


class _Tags(HTMLParser):
    """Collects which tags and attributes there are."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.kinds: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.kinds |= {f"<{tag}>", *(f"<{tag} {name}=...>" for name, _ in attrs)}
        for name, value in attrs:
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
    # How often is not compared: what names are too long for may be drawn in more parts.
    return Counter(parser.kinds)


def _markdown(text: str) -> Counter[str]:
    # It comes with rich.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    # Else one could not tell an address from one whose colon is escaped.
    parser.disable("text_join", ignoreInvalid=True)
    found: Counter[str] = Counter()
    lines = text.splitlines()
    for block in parser.parse(text):
        if block.type == "table_open" and block.map:
            found.update(f"a table's row with {len(_CELLS.findall(line))} bars" for line in lines[slice(*block.map)])
        for token in (block, *(block.children or ())):
            if token.type == "text" and _ADDRESS.search(token.content):
                found["an address that becomes a link"] += 1
            elif token.type not in {"text", "text_special", "code_inline", "inline", "softbreak"}:
                found[f"{token.type} {token.tag}".strip()] += 1
    return found


def _table(separator: str) -> Callable[[str], Counter[str]]:
    def structure(text: str) -> Counter[str]:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
        found = Counter(f"a row of {len(row)} cells" for row in rows)
        found.update({f"the formula {cell!r}": 1 for row in rows for cell in row if _is_formula(cell)})
        return found

    return structure


def _is_formula(cell: str) -> bool:
    if not _FORMULA.match(cell) or cell == "-":
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False


def _json(text: str) -> Counter[str]:
    try:
        return Counter({"a value that a name adds": _count(json.loads(text))})
    except ValueError as error:
        raise AssertionError(f"it is not JSON: {error}") from None


def _count(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count, parts))


def _latex(text: str) -> Counter[str]:
    return Counter(f"{part} as it is" for part in _LATEX if part in text)


_STRUCTURE: Mapping[Medium, Callable[[str], Counter[str]]] = {
    "text": _nothing, "terminal": _nothing, "html": _html, "markdown": _markdown, "csv": _table(","),
    "tsv": _table("\t"), "json": _json, "latex": _latex,
}  # fmt: skip
