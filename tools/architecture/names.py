"""One name for two things: public classes and modules that share a name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.architecture.source import Module

Shared = dict[str, list[str]]
"""What stands for what: the places that have a name in common, by the name."""


def shared_classes(modules: Sequence[Module]) -> Shared:
    """Returns public classes at the top of two modules or more that have the same name, each with `path:line`."""
    found: Shared = defaultdict(list)
    for module in modules:
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(f"{module.path}:{node.lineno}")
    return _several(found)


def shared_modules(modules: Sequence[Module]) -> tuple[Shared, Shared]:
    """Returns the files of the same base name: those that need another name, and those that mirror a part of a plugin.

    `__init__.py` and `__main__.py` are left out, since Python gives them their names. A name mirrors a part of a plugin
    if it is `plugin`, or that of a file in `tlbench.contracts`, and every file that has it is the contract itself, its
    conformance test, or lies at the top of a plugin's package: `contracts/backbone.py`, `tlbench_hf/backbone.py`. Two
    plugins may call the same part the same: `tlbench_hf/loading.py`, `tlbench_timm/loading.py`. A command
    has the name of what it does: `cli/plan.py`, `planning/plan.py`.
    """
    found: dict[str, list[Module]] = defaultdict(list)
    for module in modules:
        if module.path.stem not in {"__init__", "__main__"}:
            found[module.path.stem].append(module)
    contracts = {module.path.stem for module in modules if module.package == "tlbench.contracts"}
    mirrors = {
        name
        for name, files in found.items()
        if (name in {*contracts, "plugin"} and all(_is_a_part_of_a_plugin(file) for file in files))
        or all(_is_at_the_top_of_a_plugin(file) for file in files)
        or (len(files) == 2 and any(file.package == "tlbench.cli" for file in files))
    }
    shared = _several({name: [str(module.path) for module in files] for name, files in found.items()})
    others = {name: files for name, files in shared.items() if name not in mirrors}
    return others, {name: files for name, files in shared.items() if name in mirrors}


def _is_a_part_of_a_plugin(module: Module) -> bool:
    return _is_at_the_top_of_a_plugin(module) or module.package in {
        "tlbench.contracts",
        "tlbench.testing.conformance",
    }


def _is_at_the_top_of_a_plugin(module: Module) -> bool:
    return module.path.parts[0] == "plugins" and "." not in module.package


def _several(found: Mapping[str, list[str]]) -> Shared:
    return {name: places for name, places in sorted(found.items()) if len(places) > 1}


def crowded_folders(modules: Sequence[Module], limit: int) -> dict[Path, int]:
    """Returns the folders with more Python files than the limit, `__init__.py` not counted, and how many they have."""
    return {folder: n for folder, n in folder_sizes(modules).items() if n > limit}


def folder_sizes(modules: Sequence[Module]) -> dict[Path, int]:
    """Returns how many Python files each folder has, `__init__.py` not counted; the fullest first."""
    sizes: dict[Path, int] = defaultdict(int)
    for module in modules:
        if not module.is_package:
            sizes[module.path.parent] += 1
    return dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0])))
