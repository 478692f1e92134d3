"""Ambiguous names (public classes and modules that share a name) and crowded folders."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.architecture.source import Module

Shared = dict[str, list[str]]
"""The places with a name, by that name."""


def shared_classes(modules: Sequence[Module]) -> Shared:
    """Returns the names of public classes that several modules define, with the `path:line` of each."""
    places_of: Shared = defaultdict(list)
    for module in modules:
        for node in module.tree.body:
            # Private classes are not imported by others, so their names cannot be confused.
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places_of[node.name].append(f"{module.path}:{node.lineno}")
    return _several(places_of)


def shared_modules(modules: Sequence[Module]) -> tuple[Shared, Shared]:
    """Returns modules with equal file names: those that need another name, and those that may share one by convention.

    `__init__.py` and `__main__.py` are ignored. Names may be shared between

    - a contract, its conformance class and its implementation in plugins: `contracts/backbone.py`,
      `tlbench_hf/backbone.py`; `plugin.py` likewise;
    - the top-level modules of plugins: `tlbench_hf/loading.py`, `tlbench_timm/loading.py`;
    - a command and the module that it calls: `cli/plan.py`, `planning/plan.py`.
    """
    by_name: dict[str, list[Module]] = defaultdict(list)
    for module in modules:
        if module.path.stem not in {"__init__", "__main__"}:
            by_name[module.path.stem].append(module)
    contracts = {module.path.stem for module in modules if module.package == "tlbench.contracts"}
    by_convention = {
        name
        for name, files in by_name.items()
        if (name in {*contracts, "plugin"} and all(_is_a_part_of_a_plugin(file) for file in files))
        or all(_is_at_the_top_of_a_plugin(file) for file in files)
        or (len(files) == 2 and any(file.package == "tlbench.cli" for file in files))
    }
    shared = _several({name: [str(module.path) for module in files] for name, files in by_name.items()})
    others = {name: files for name, files in shared.items() if name not in by_convention}
    return others, {name: files for name, files in shared.items() if name in by_convention}


def _is_a_part_of_a_plugin(module: Module) -> bool:
    return _is_at_the_top_of_a_plugin(module) or module.package in {
        "tlbench.contracts",
        "tlbench.testing.conformance",
    }


def _is_at_the_top_of_a_plugin(module: Module) -> bool:
    return module.path.parts[0] == "plugins" and "." not in module.package


def _several(places_of: Mapping[str, list[str]]) -> Shared:
    return {name: places for name, places in sorted(places_of.items()) if len(places) > 1}


def crowded_folders(modules: Sequence[Module], limit: int) -> dict[Path, int]:
    """Returns the folders with more Python files than the limit, with their numbers; `__init__.py` is not counted."""
    return {folder: n for folder, n in folder_sizes(modules).items() if n > limit}


def folder_sizes(modules: Sequence[Module]) -> dict[Path, int]:
    """Returns the number of Python files in each folder, largest first; `__init__.py` is not counted."""
    sizes: dict[Path, int] = defaultdict(int)
    for module in modules:
        if not module.is_package:
            sizes[module.path.parent] += 1
    return dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0])))
