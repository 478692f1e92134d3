"""python -m tools.docs_site [FOLDER]: builds the documentation; any warning, such as a dead link, is an error."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.docs_site.building import build_site

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Builds the site in a folder, build/docs by default; returns the exit status."""
    folder = Path(arguments[0] if arguments else ROOT / "build" / "docs").resolve()
    problems = build_site(folder)
    print("\n".join(problems) or f"{len(list(folder.rglob('*.html')))} pages in {folder}: open index.html")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
