"""The import graph of all modules, and its cycles.

An edge is an `import` statement anywhere in a module, functions included, of another module of the core or a plugin.
`from package import name` is an edge to the submodule `name` if there is one, else to the package's `__init__.py`. As
in import-linter, importing a submodule is no edge to the `__init__.py` of its parents. Imports by name are not seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from tools.architecture.source import Function, Module

Place: TypeAlias = Literal["module", "function", "types"]
"""Where an import is: at the top level of a module, in a function, or in an `if TYPE_CHECKING` block."""
Graph: TypeAlias = Mapping[str, Set[str]]


@dataclass(frozen=True)
class Import:
    """An import of one module by another."""

    importer: str
    imported: str
    path: Path
    line: int
    place: Place


@dataclass(frozen=True)
class Cycle:
    """Modules that import each other, directly or indirectly, with a shortest cycle among them."""

    members: tuple[str, ...]
    path: tuple[Import, ...]
    """The imports of a shortest cycle, from one of the modules back to it."""


def imports_of(modules: Sequence[Module]) -> list[Import]:
    """Returns all imports between the given modules."""
    names = {module.name for module in modules}
    return [
        Import(module.name, target, module.path, node.lineno, place)
        for module in modules
        for node, place in _statements(module.tree, "module")
        for target in sorted(_targets(node, module, names) - {module.name})
    ]


def cycles(imports: Sequence[Import], places: Set[Place]) -> list[Cycle]:
    """Returns the strongly connected components with at least two modules, by the imports in the given places."""
    used = [one for one in imports if one.place in places]
    graph: dict[str, set[str]] = {}
    for one in used:
        graph.setdefault(one.importer, set()).add(one.imported)
        graph.setdefault(one.imported, set())
    return [Cycle(members, _shortest_cycle(members, used)) for members in components(graph) if len(members) > 1]


def components(graph: Graph) -> list[tuple[str, ...]]:
    """Returns the strongly connected components of a graph, each sorted, the largest first."""
    # Two nodes are in one component if each can be reached from the other; a few hundred modules need nothing faster.
    reached = {start: _reached(graph, start) for start in graph}
    component_of: dict[str, tuple[str, ...]] = {}
    for start in sorted(graph):
        if start not in component_of:
            members = tuple(sorted({start, *(other for other in reached[start] if start in reached[other])}))
            component_of.update(dict.fromkeys(members, members))
    return sorted(set(component_of.values()), key=lambda members: (-len(members), members))


def _reached(graph: Graph, start: str) -> set[str]:
    """Returns the nodes that can be reached from a node."""
    seen: set[str] = set()
    left = [start]
    while left:
        new = graph[left.pop()] - seen
        seen |= new
        left += new
    return seen


def _shortest_cycle(members: Sequence[str], imports: Sequence[Import]) -> tuple[Import, ...]:
    """Returns the imports of a shortest cycle in a component."""
    inside: dict[str, dict[str, Import]] = {member: {} for member in members}
    for one in imports:
        if one.importer in inside and one.imported in inside:
            inside[one.importer].setdefault(one.imported, one)
    return min((_shortest_path_back(start, inside) for start in members), key=len)


def _shortest_path_back(start: str, edges: Mapping[str, Mapping[str, Import]]) -> tuple[Import, ...]:
    paths: list[tuple[Import, ...]] = [(edge,) for edge in edges[start].values()]
    seen: set[str] = set()
    for path in paths:  # a breadth-first search: the list grows while it is iterated
        end = path[-1].imported
        if end == start:
            return path
        if end not in seen:
            seen.add(end)
            paths += [(*path, edge) for edge in edges[end].values()]
    raise AssertionError(f"{start} is in no cycle")


def _statements(node: ast.AST, place: Place) -> Iterator[tuple[ast.Import | ast.ImportFrom, Place]]:
    """Yields the import statements below a node with their place."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, place
        elif isinstance(child, ast.If) and _is_for_types(child.test):
            # Only the body is for types; the `else` branch runs.
            for statement in child.body:
                yield from _statements(ast.Module([statement], []), "types")
            for statement in child.orelse:
                yield from _statements(ast.Module([statement], []), place)
        else:
            yield from _statements(child, "function" if isinstance(child, Function) and place == "module" else place)


def _is_for_types(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _targets(node: ast.Import | ast.ImportFrom, module: Module, names: Set[str]) -> set[str]:
    """Returns the modules that an import statement imports."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & names
    base = node.module or ""
    # A relative import: one dot is the package itself, each further dot its parent.
    if node.level:
        parts = module.package.split(".")
        parents = parts[: len(parts) - node.level + 1]
        base = ".".join([*parents, base] if base else parents)
    submodules = {f"{base}.{alias.name}" for alias in node.names} & names
    others = any(f"{base}.{alias.name}" not in names for alias in node.names)
    return submodules | ({base} & names if others else set())
