"""The reference of what `import tlbench` and the modules for plugin authors offer."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from tools.docs_site.references.docstrings import attribute_text, below_names, cell, described, first_paragraph

MODULES = ("tlbench", "tlbench.testing.conformance")
"""The modules with an `__all__` whose names are public."""
RECEIVED = {
    "tlbench.metrics.scored": ("Scored",),
    "tlbench.modeling.encoder": ("Encoder", "Stage"),
    "tlbench.modeling.heads": ("Head",),
    "tlbench.modeling.data": ("Data", "one_row_each"),
}
"""What plugins receive or make, by the modules that they import it from."""


def names(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yields the public names of a module and their values."""
    yield from ((name, getattr(module, name)) for name in module.__all__)


def text_of(module: ModuleType, name: str, value: Any) -> str:
    """Returns the documentation of a public name in Markdown, empty if there is none."""
    if inspect.isclass(value) or inspect.isfunction(value):
        return described(value)
    for one in (module, *_origins(name)):
        if text := below_names(one).get(name):
            return text
    return _MARKERS.get(name, "")


_MARKERS = {"hookimpl": "Marks a function of a plugin as the implementation of a [hook](hooks.md)."}


def _origins(name: str) -> Iterator[ModuleType]:
    """Yields the modules that tlbench's `__init__` imports a constant from."""
    import ast

    import tlbench

    for node in ast.parse(inspect.getsource(tlbench)).body:
        if isinstance(node, ast.ImportFrom) and node.module and any(alias.name == name for alias in node.names):
            yield importlib.import_module(node.module)


def api_page() -> str:
    """Returns the page."""
    lines = [
        "# API",
        "",
        "What `import tlbench` offers, and the checks for plugin authors. How to use the functions is on"
        " [a page of its own](../python.md); how the parts of a plugin go together, in the how-tos that add one.",
    ]
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        functions = [(name, value) for name, value in names(module) if inspect.isfunction(value)]
        others = [(name, value) for name, value in names(module) if not inspect.isfunction(value)]
        lines += ["", f"## {module_name}", "", first_paragraph(module.__doc__ or "")]
        for name, value in [*functions, *others]:
            lines += ["", f"### {name}", "", *_entry(module, name, value)]
    lines += ["", "## Received by plugins", "", "Imported from the modules that are named."]
    for module_name, received in RECEIVED.items():
        module = importlib.import_module(module_name)
        for name in received:
            lines += ["", f"### {name}", "", f"`from {module_name} import {name}`", ""]
            lines += _entry(module, name, getattr(module, name))
    return "\n".join(lines)


def _entry(module: ModuleType, name: str, value: Any) -> list[str]:
    lines = [*_signature(name, value), text_of(module, name, value)]
    if inspect.isclass(value):
        rows = [*_attributes(value), *_methods(value)]
        lines += ["", "| member | |", "| --- | --- |", *rows] if rows else []
    return lines


def _signature(name: str, value: Any) -> list[str]:
    if not inspect.isfunction(value):
        return []
    parameters = [str(one).split(":")[0].split("=")[0].strip() for one in inspect.signature(value).parameters.values()]
    return ["```text", f"{name}({', '.join(parameters)})", "```", ""]


def _attributes(class_: type) -> Iterator[str]:
    """Yields rows for the attributes of a class, and of those that it inherits from, that a string describes."""
    seen: set[str] = set()
    for one in reversed(class_.__mro__):
        for name in getattr(one, "__annotations__", {}):
            text = attribute_text(class_, name)
            if text and not name.startswith("_") and name not in seen:
                seen.add(name)
                yield f"| `{name}` | {cell(text)} |"


def _methods(class_: type) -> Iterator[str]:
    for name, value in inspect.getmembers(class_):
        if name.startswith("_") or not str(getattr(value, "__module__", None) or "tlbench").startswith("tlbench"):
            continue
        is_method = inspect.isfunction(value) or inspect.ismethod(value)
        if is_method or isinstance(value, property):
            text = first_paragraph(inspect.getdoc(value) or "")
            yield f"| `{name}{'()' if is_method else ''}` | {cell(text)} |"
