"""Checks for plugins of every kind: valid names (identifiers) of objects, and modules without heavy imports."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterable

from tlbench.catalog.loading.load_watch import HEAVY
from tlbench.catalog.names import fault_of_name

# sys.modules shows what was loaded, also indirectly.
_SCRIPT = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*sorted(set(sys.argv[2:]) & set(sys.modules)))
"""


def heavy_imports(module: str, heavy: Iterable[str] = HEAVY) -> tuple[str, ...] | None:
    """Returns the heavy libraries that importing a module loads, or None if a new process cannot find the module.

    Raises:
        RuntimeError: The import fails; the message holds its traceback.
    """
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or module == "__main__":
        return None
    return _loaded_by(module, tuple(heavy), tuple(filter(None, sys.path)))


@functools.cache
def _loaded_by(module: str, heavy: tuple[str, ...], path: tuple[str, ...]) -> tuple[str, ...]:
    """Returns which of the heavy libraries are loaded with a module; asked once for the many plugins of one module."""
    # In a new interpreter, since this one has usually loaded torch; with its path, for modules that are not installed.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    process = subprocess.run(
        [sys.executable, "-c", _SCRIPT, module, *heavy], env=environment, capture_output=True, text=True, check=False
    )
    if process.returncode:
        raise RuntimeError(f"{module} cannot be imported alone:\n{process.stderr}")
    return tuple(process.stdout.split())


def check_light(item: object, heavy: Iterable[str] = HEAVY) -> None:
    """Asserts that importing the module of a function or of an object's class loads no heavy library.

    Test modules are skipped.
    """
    import pytest

    module = item.__module__
    loaded = heavy_imports(module, heavy)
    if loaded is None:
        pytest.skip(f"{module} cannot be imported by another process")
    assert not loaded, f"importing {module} loads {', '.join(loaded)}: import them inside functions"


def check_name(name: object) -> None:
    """Asserts that a name is valid in suites and on the command line."""
    assert isinstance(name, str), f"the name {name!r} is not a str"
    fault = fault_of_name(name)
    assert not fault, f"{name!r} is not a valid name: {fault}"
