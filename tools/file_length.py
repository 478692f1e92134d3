"""Fails if a Python file has more lines than the limit."""

from __future__ import annotations

import sys
from pathlib import Path

# About what a reader can take in at one sitting.
LIMIT = 320
ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("src", "plugins", "tests", "tools", "benchmarks")


def too_long(root: Path, limit: int = LIMIT) -> list[str]:
    """Returns a message for each Python file in the code folders with more lines than the limit."""
    files = sorted(file for folder in FOLDERS for file in (root / folder).rglob("*.py"))
    lengths = ((file, len(file.read_text(encoding="utf-8").splitlines())) for file in files)
    return [f"{file.relative_to(root)}: {n} lines, the limit is {limit}" for file, n in lengths if n > limit]


if __name__ == "__main__":
    print("\n".join(problems := too_long(ROOT)) or f"No file is longer than {LIMIT} lines.")
    sys.exit(bool(problems))
