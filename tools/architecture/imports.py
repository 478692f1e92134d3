"""Who imports whom, file by file, and the circles in that graph.

An edge is an `import` statement anywhere in a file, in a function too, that names another file of the core or of a
plugin. `from package import name` leads to the submodule `name` where there is one, otherwise to the package's
`__init__.py`. That importing a submodule also runs the `__init__.py` of the packages around it is left out, as
import-linter leaves it out. Modules that are imported by a name in a string are not seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from tools.architecture.source import Function, Module

Place: TypeAlias = Literal["module", "function", "types"]
"""Where an import stands: at the top of a module, in a function, or in a block that only a type checker reads."""
Graph: TypeAlias = Mapping[str, Set[str]]


@dataclass(frozen=True)
class Import:
    """One import of one file by another."""

    importer: str
    imported: str
    path: Path
    line: int
    place: Place


@dataclass(frozen=True)
class Circle:
    """Files of which each leads to each other by imports, and a shortest way round."""

    members: tuple[str, ...]
    way: tuple[Import, ...]
    """Imports that lead from one of the files back to it."""


def imports_of(modules: Sequence[Module]) -> list[Import]:
    """Returns every import between the given modules."""
    names = {module.name for module in modules}
    return [
        Import(module.name, target, module.path, node.lineno, place)
        for module in modules
        for node, place in _statements(module.tree, "module")
        for target in sorted(_targets(node, module, names) - {module.name})
    ]


def circles(imports: Sequence[Import], places: Set[Place]) -> list[Circle]:
    """Returns the circles that the imports in these places make: strongly connected components of two files or more."""
    used = [one for one in imports if one.place in places]
    graph: dict[str, set[str]] = {}
    for one in used:
        graph.setdefault(one.importer, set()).add(one.imported)
        graph.setdefault(one.imported, set())
    return [Circle(members, _way_round(members, used)) for members in components(graph) if len(members) > 1]


def components(graph: Graph) -> list[tuple[str, ...]]:
    """Returns the strongly connected components of a graph, each sorted, the largest first."""
    reached = {start: _reached(graph, start) for start in graph}
    found: dict[str, tuple[str, ...]] = {}
    for start in sorted(graph):
        if start not in found:
            members = tuple(sorted({start, *(other for other in reached[start] if start in reached[other])}))
            found.update(dict.fromkeys(members, members))
    return sorted(set(found.values()), key=lambda members: (-len(members), members))


def _reached(graph: Graph, start: str) -> set[str]:
    """Returns the nodes that edges lead to from a start."""
    seen: set[str] = set()
    left = [start]
    while left:
        new = graph[left.pop()] - seen
        seen |= new
        left += new
    return seen


def _way_round(members: Sequence[str], imports: Sequence[Import]) -> tuple[Import, ...]:
    """Returns the shortest closed way through a component, as the imports that make it."""
    inside: dict[str, dict[str, Import]] = {member: {} for member in members}
    for one in imports:
        if one.importer in inside and one.imported in inside:
            inside[one.importer].setdefault(one.imported, one)
    return min((_way_back(start, inside) for start in members), key=len)


def _way_back(start: str, edges: Mapping[str, Mapping[str, Import]]) -> tuple[Import, ...]:
    ways: list[tuple[Import, ...]] = [(edge,) for edge in edges[start].values()]
    seen: set[str] = set()
    for way in ways:  # a breadth-first search: ways are added while they are gone through
        end = way[-1].imported
        if end == start:
            return way
        if end not in seen:
            seen.add(end)
            ways += [(*way, edge) for edge in edges[end].values()]
    raise AssertionError(f"{start} is in no circle")


def _statements(node: ast.AST, place: Place) -> Iterator[tuple[ast.Import | ast.ImportFrom, Place]]:
    """Yields the import statements below a node, with where they stand."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, place
        elif isinstance(child, ast.If) and _is_for_types(child.test):
            for statement in child.body:
                yield from _statements(ast.Module([statement], []), "types")
            for statement in child.orelse:
                yield from _statements(ast.Module([statement], []), place)
        else:
            yield from _statements(child, "function" if isinstance(child, Function) and place == "module" else place)


def _is_for_types(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _targets(node: ast.Import | ast.ImportFrom, module: Module, names: Set[str]) -> set[str]:
    """Returns the modules that an import statement names."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & names
    base = node.module or ""
    if node.level:
        parts = module.package.split(".")
        parents = parts[: len(parts) - node.level + 1]
        base = ".".join([*parents, base] if base else parents)
    submodules = {f"{base}.{alias.name}" for alias in node.names} & names
    others = any(f"{base}.{alias.name}" not in names for alias in node.names)
    return submodules | ({base} & names if others else set())
