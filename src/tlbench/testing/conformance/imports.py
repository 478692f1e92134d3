"""Whether a plugin's module can be imported without the heavy libraries."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterable

from tlbench.catalog.names import fault_of_name

HEAVY = ("torch", "transformers", "timm", "optuna", "evaluate", "datasets", "peft", "sklearn")

_SCRIPT = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*sorted(set(sys.argv[2:]) & set(sys.modules)))
"""


def heavy_imports(module: str, heavy: Iterable[str] = HEAVY) -> tuple[str, ...] | None:
    """Returns which heavy libraries a fresh interpreter loads with the module; None if it cannot find the module.

    Raises:
        RuntimeError: The module cannot be imported at all.
    """
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None or module == "__main__":
        return None
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, module, *heavy], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{module} cannot be imported alone:\n{done.stderr}")
    return tuple(done.stdout.split())


def check_light(item: object, heavy: Iterable[str] = HEAVY) -> None:
    """Asserts that the module which defines the object's class loads no heavy library; skips test modules."""
    import pytest

    module = type(item).__module__
    loaded = heavy_imports(module, heavy)
    if loaded is None:
        pytest.skip(f"{module} is no module that another process can import")
    assert not loaded, f"importing {module} loads {', '.join(loaded)}: import them inside functions"


def check_name(name: object) -> None:
    """Asserts that the name can stand in a suite and on the command line."""
    assert isinstance(name, str)
    fault = fault_of_name(name)
    assert not fault, f"{name!r} is no name: {fault}"
