"""Fingerprints of the source of plugins in development, whose version says nothing about their code.

A plugin is in development if `TLBENCH_PLUGINS` names it or if its installation is editable. A fingerprint covers the
modules that define a class and its base classes, and what these modules import from the same folder or package.
Comments, docstrings and the layout of lines do not count. tlbench's own modules are left out.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import json
import sys
import tokenize
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

from tlbench.catalog.discovery import OWN, Plugin

_INSTALLED = {"site-packages", "dist-packages"}
_IGNORED = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}


def development_packages(plugins: Iterable[Plugin]) -> frozenset[str]:
    """Returns the names of the top-level modules of the plugins that are in development."""
    modules = (getattr(plugin.module, "__name__", "") for plugin in plugins if _is_in_development(plugin))
    return frozenset(name.partition(".")[0] for name in modules) - {OWN, ""}


def code_fingerprint(class_: type, packages: frozenset[str]) -> str:
    """Returns a digest of the source of a class, read once per process; empty if no module of it is in `packages`."""
    return _digest(tuple(one.__module__ for one in class_.__mro__ if one.__module__.partition(".")[0] in packages))


@cache
def _digest(modules: tuple[str, ...]) -> str:
    folders = tuple(dict.fromkeys(folder for module in modules for folder in _folders(module.partition(".")[0])))
    tops = {module.partition(".")[0] for module in modules}
    queue = list(modules)
    sources: dict[str, str] = {}
    while queue:
        name = queue.pop()
        path = None if name in sources else _path_of(name, folders)
        if path is None:
            continue
        content = path.read_bytes()
        sources[name] = _essence(content)
        # In site-packages, the neighbours of this package are packages of others, with versions of their own: left out.
        is_alone = bool(_INSTALLED & set(path.parts))
        for other in _imported(content, name if path.name == "__init__.py" else name.rpartition(".")[0]):
            top = other.partition(".")[0]
            if top in tops or not (is_alone or top == OWN):
                queue.append(other)
    return hashlib.sha256(repr(sorted(sources.items())).encode()).hexdigest()[:12] if sources else ""


def _is_in_development(plugin: Plugin) -> bool:
    if not plugin.version:
        return True
    with suppress(metadata.PackageNotFoundError, ValueError, AttributeError):
        origin = json.loads(metadata.distribution(plugin.distribution).read_text("direct_url.json") or "{}")
        return bool(origin.get("dir_info", {}).get("editable"))
    return False


def _folders(top: str) -> list[Path]:
    """Returns the folders in which a top-level module or package lies."""
    spec = importlib.util.find_spec(top) if top in sys.modules else None
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(place).parent for place in spec.submodule_search_locations]
    return [Path(spec.origin).parent] if spec.origin else []


def _path_of(module: str, folders: Iterable[Path]) -> Path | None:
    """Returns the source file of a module, or None if the folders do not have it; imports nothing."""
    parts = module.split(".")
    for folder in folders:
        for path in (folder.joinpath(*parts[:-1], f"{parts[-1]}.py"), folder.joinpath(*parts, "__init__.py")):
            if path.is_file():
                return path
    return None


def _imported(content: bytes, package: str) -> Iterator[str]:
    """Yields the names of the modules that a module imports, and of imported objects, which may be modules too."""
    with suppress(SyntaxError, ValueError):
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                parts = package.split(".")
                parents = parts[: len(parts) - node.level + 1] if node.level else []
                base = ".".join([*parents, *([node.module] if node.module else [])])
                yield from (base, *(f"{base}.{alias.name}" for alias in node.names))


def _essence(content: bytes) -> str:
    """Returns the source without comments, docstrings and the layout of lines."""
    lines: list[str] = []
    line: list[tokenize.TokenInfo] = []
    try:
        for token in tokenize.tokenize(io.BytesIO(content).readline):
            if token.type in _IGNORED:
                continue
            if token.type in (tokenize.INDENT, tokenize.DEDENT):
                lines.append("indent" if token.type == tokenize.INDENT else "dedent")
            elif token.type != tokenize.NEWLINE:
                line.append(token)
            else:
                # A line that is one string is a docstring, or has no effect.
                if [part.type for part in line] != [tokenize.STRING]:
                    lines.append(" ".join(part.string for part in line))
                line = []
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):
        return content.decode("utf-8", "replace")
    return "\n".join(lines)
