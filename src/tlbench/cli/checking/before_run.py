"""Prints the warnings of the data check once, before the first run on a task's data."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from tlbench.api.first_checks import first_check_texts
from tlbench.catalog.catalog import Catalog
from tlbench.cli.shell.verbosity import is_quiet


def print_first_checks(names: Iterable[str], catalog: Catalog) -> None:
    """Prints the warnings on tasks whose data was not checked before, at most two lines for each, to stderr."""
    # With -q, nothing is checked, so the next run without -q prints the warnings.
    for warnings, more in () if is_quiet() else first_check_texts(names, catalog):
        print(f"{warnings}\n  {more}", file=sys.stderr)
