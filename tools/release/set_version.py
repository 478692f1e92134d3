"""python -m tools.release.set_version X.Y.Z: gives every distribution this version, and what they need of each other.

The changelog's heading "Unreleased" becomes that of the version, and CITATION.cff names it.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tools.release.distributions import ROOT, compatible, distributions

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_BETWEEN = re.compile(r'("tlbench(?:-[a-z]+)?)>=[0-9.]+,<[0-9.]+"')


def main(arguments: Sequence[str] | None = None) -> int:
    """Changes the files; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.release.set_version", description=__doc__)
    parser.add_argument("version", help="such as 0.2.0")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository; default: this one")
    options = parser.parse_args(arguments)
    if not _VERSION.fullmatch(options.version):
        parser.error(f"{options.version}: not a version such as 0.2.0")
    if options.version == distributions(options.root)[0].version:
        parser.error(f"{options.version} is the version already")
    today = datetime.now(UTC).date().isoformat()
    for path in set_version(options.root, options.version, today):
        print(path.relative_to(options.root))
    return 0


def set_version(root: Path, version: str, today: str) -> list[Path]:
    """Gives every distribution a version and returns the files that changed.

    Raises:
        ValueError: A file does not have the line that has to change.
    """
    changed = []
    for one in distributions(root):
        path = one.folder / "pyproject.toml"
        text = _replaced(path, rf'(?m)^version = "{re.escape(one.version)}"$', f'version = "{version}"')
        path.write_text(_BETWEEN.sub(rf'\g<1>{compatible(version)}"', text), encoding="utf-8")
        changed.append(path)
    edits = {
        root / "src/tlbench/system/version.py": (r'(?m)^VERSION = "[^"]+"$', f'VERSION = "{version}"'),
        root / "CHANGELOG.md": (r"(?m)^## \[Unreleased\]$", f"## [Unreleased]\n\n## [{version}] - {today}"),
        root / "CITATION.cff": (
            r"(?m)^version: .*\ndate-released: .*$",
            f"version: {version}\ndate-released: {today}",
        ),
    }
    for path, (pattern, text) in edits.items():
        path.write_text(_replaced(path, pattern, text), encoding="utf-8")
        changed.append(path)
    return changed


def _replaced(path: Path, pattern: str, text: str) -> str:
    found, count = re.subn(pattern, lambda match: text, path.read_text(encoding="utf-8"), count=1)
    if not count:
        raise ValueError(f"{path}: no line matches {pattern}")
    return found


if __name__ == "__main__":
    sys.exit(main())
