"""python -m tools.architecture: prints a table of measures. With --check: prints violations; exit status 1 for any."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.architecture.report import findings, table
from tools.architecture.source import modules_of

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table or the violations; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.architecture", description=__doc__)
    parser.add_argument("--checkout", type=Path, default=ROOT, help="the folder to measure; default: this one")
    parser.add_argument("--check", action="store_true", help="print violations, and fail if there are any")
    parser.add_argument("--verbose", action="store_true", help="name the files, packages and functions")
    options = parser.parse_args(arguments)
    checkout = options.checkout.resolve()
    if not options.check:
        print(table(checkout, options.verbose))
        return 0
    problems = findings(modules_of(checkout))
    print("\n".join(problems) or "No import cycles, no crowded folders, no ambiguous names.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
