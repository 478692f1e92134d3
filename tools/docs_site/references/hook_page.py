"""The reference of hooks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from tools.docs_site.references.docstrings import described


def hooks() -> dict[str, Callable[..., Any]]:
    """Returns the hooks by name, in the order of their file."""
    from tlbench.catalog import hookspecs

    return {name: one for name, one in vars(hookspecs).items() if name.startswith("tlbench_") and callable(one)}


def hook_page() -> str:
    """Returns the page."""
    from tlbench.catalog import hookspecs

    lines = ["# Hooks", "", described(hookspecs)]
    for name, hook in hooks().items():
        signature = str(inspect.signature(hook)).replace("'", "")
        lines += ["", f"## {name}", "", "```text", f"def {name}{signature}", "```", "", described(hook)]
    return "\n".join(lines)
