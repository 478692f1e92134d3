"""Reads the Python modules of a checkout; each is parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """An importable Python file."""

    name: str
    """Dotted name; for an `__init__.py`, that of its package."""
    path: Path
    """Relative to the checkout."""
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text, str(self.path))

    @property
    def is_package(self) -> bool:
        """Whether it is the `__init__.py` of a package."""
        return self.path.name == "__init__.py"

    @property
    def package(self) -> str:
        """Dotted name of the package that contains the module; an `__init__.py` contains itself."""
        return self.name if self.is_package else self.name.rpartition(".")[0]


def source_roots(checkout: Path) -> list[Path]:
    """Returns the source roots of a checkout: the core's first, then those of the plugins."""
    return [checkout / "src", *sorted((checkout / "plugins").glob("*/src"))]


def modules_of(checkout: Path) -> list[Module]:
    """Returns every module of the core and of the plugins, sorted by path."""
    modules = []
    for root in source_roots(checkout):
        for file in sorted(root.rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            modules.append(Module(name, file.relative_to(checkout), file.read_text(encoding="utf-8")))
    return modules


def functions_of(module: Module) -> Iterator[tuple[str, Function, bool]]:
    """Yields the dotted name of each function in a module, its node, and whether it is a method."""

    def visit(node: ast.AST, prefix: str, in_class: bool) -> Iterator[tuple[str, Function, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield prefix + child.name, child, in_class
                # A function nested in a method is not a method itself.
                yield from visit(child, f"{prefix}{child.name}.", False)
            elif isinstance(child, ast.ClassDef):
                yield from visit(child, f"{prefix}{child.name}.", True)
            else:
                yield from visit(child, prefix, in_class)

    yield from visit(module.tree, "", False)


def is_docstring(node: ast.AST) -> bool:
    """Returns whether a statement is a string alone: the docstring of a module, class, function or attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
