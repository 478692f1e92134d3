"""Each promise in docs/security.md names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [line for line in (ROOT / "docs" / "security.md").read_text().splitlines() if line.startswith("| ")]


def test_every_promise_names_tests_that_there_are():
    sources = [
        *ROOT.glob("tests/**/*.py"),
        *ROOT.glob("plugins/*/tests/*.py"),
        *ROOT.glob("src/tlbench/testing/**/*.py"),
    ]
    written = {name for path in sources for name in re.findall(r"def (test_\w+)\(", path.read_text())}
    promises = [row for row in ROWS if not row.startswith(("| promise", "| ---"))]
    assert len(promises) > 20
    for row in promises:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert not {*named} - written, row
