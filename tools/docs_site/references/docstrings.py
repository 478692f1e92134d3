"""Docstrings as Markdown, and the strings that stand below attributes and constants."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from types import ModuleType
from typing import Any

_SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Guarantees|Example|Examples):$")
_PROSE = {"Args", "Returns", "Raises", "Yields", "Guarantees"}
_ITEM = re.compile(r"^(\*{0,2}[\w.]+|[A-Z]\w+): (.*)$")


def described(object_: Any) -> str:
    """Returns the docstring of an object as Markdown: sections are bold, arguments a list, indented blocks code."""
    return as_markdown(inspect.getdoc(object_) or "")


def first_paragraph(text: str) -> str:
    """Returns the first paragraph of a docstring in one line."""
    return " ".join(text.strip().split("\n\n")[0].split())


def as_markdown(docstring: str) -> str:
    """Returns a docstring in Google style as Markdown."""
    parts: list[tuple[str, list[str]]] = []
    section = ""
    for block in inspect.cleandoc(docstring).split("\n\n"):
        rows = block.splitlines()
        heading = _SECTION.match(rows[0]) if rows else None
        if heading:
            section = heading[1]
            parts.append(("text", [f"**{section}**"]))
            rows = rows[1:]
        is_indented = bool(rows) and all(row.startswith("    ") for row in rows)
        rows = [row[4:] for row in rows] if is_indented else rows
        section = section if is_indented else ""
        kind = "code" if is_indented and section not in _PROSE else "text"
        if kind == "code" and parts and parts[-1][0] == "code":
            parts[-1][1].extend(["", *rows])
        elif rows:
            parts.append((kind, _items(rows) if section in {"Args", "Raises"} else rows))
    texts = ["\n".join(_fenced(rows) if kind == "code" else rows) for kind, rows in parts]
    return "\n\n".join(texts)


def _fenced(rows: list[str]) -> list[str]:
    """Returns lines as a block of code: of Python, if they are."""
    try:
        compile("\n".join(rows), "docstring", "exec")
        language = "python"
    except SyntaxError:
        language = "text"
    return [f"```{language}", *rows, "```"]


def _items(rows: list[str]) -> list[str]:
    """Returns the lines "name: text", which may go on in indented lines, as a list."""
    items: list[str] = []
    for row in rows:
        if found := _ITEM.match(row):
            items.append(f"- `{found[1]}`: {found[2]}")
        elif row.strip():
            items.append(f"  {row.strip()}" if items else row)
    return items


@cache
def below_names(module: ModuleType) -> dict[str, str]:
    """Returns the strings below the assignments of a module and of its classes, by "NAME" or "Class.name"."""
    tree = ast.parse(inspect.getsource(module))
    found = _below(tree.body, "")
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found |= _below(node.body, f"{node.name}.")
    return found


def attribute_text(class_: type, name: str) -> str:
    """Returns the string below a class's attribute, in it or in a class that it inherits from, as one line."""
    for one in class_.__mro__:
        module = inspect.getmodule(one)
        if module is not None and one.__module__.startswith("tlbench"):
            text = below_names(module).get(f"{one.__name__}.{name}")
            if text:
                return " ".join(text.split())
    return ""


def _below(body: list[ast.stmt], prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    names: list[str] = []
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        else:
            if names and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                found |= {f"{prefix}{name}": inspect.cleandoc(str(node.value.value)) for name in names}
            names = []
    return found


def cell(text: str) -> str:
    """Returns a text for a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")
