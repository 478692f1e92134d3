"""`make audit`: looks up the pinned versions among known vulnerabilities, and lists all components of the environment.

The list (SBOM) is written in CycloneDX's format to build/sbom.json. Where the database of vulnerabilities cannot be
reached, this is said and nothing is looked up; with `--strict`, as in CI, that is a failure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).parents[1]
SBOM = ROOT / "build" / "sbom.json"
_UNREACHABLE = ("ConnectionError", "Max retries exceeded", "ServiceError", "Name or service not known", "403", "404")
Run: TypeAlias = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class Vulnerability:
    """A known vulnerability of a pinned version."""

    package: str
    version: str
    id: str
    fixed_in: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """What was looked up."""

    packages: int
    """Number of packages that were looked up."""
    unknown: tuple[str, ...]
    """Packages that the database does not know."""
    vulnerabilities: tuple[Vulnerability, ...]


class Unreachable(Exception):
    """The database of vulnerabilities cannot be reached."""


def audited(constraints: Path, run: Run) -> Audit:
    """Returns the known vulnerabilities of the versions that a file pins.

    Raises:
        Unreachable: The database does not answer.
        RuntimeError: pip-audit fails for another reason.
    """
    command = ["-m", "pip_audit", "--requirement", str(constraints), "--no-deps", "--disable-pip", "--format", "json"]
    ended = run([sys.executable, *command, "--progress-spinner", "off"])
    try:
        found = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        said = (ended.stderr.strip().splitlines() or ["no answer"])[-1]
        if any(sign in ended.stderr for sign in _UNREACHABLE):
            raise Unreachable(said) from None
        raise RuntimeError(said) from None
    skipped = [package["name"] for package in found if "skip_reason" in package]
    # pip-audit says that there is no vulnerability also where it could look up nothing.
    if len(skipped) == len(found):
        raise Unreachable(f"it knows none of {len(found)} packages")
    vulnerabilities = [
        Vulnerability(package["name"], package["version"], one["id"], tuple(one.get("fix_versions", ())))
        for package in found
        for one in package.get("vulns", ())
    ]
    return Audit(len(found) - len(skipped), tuple(skipped), tuple(vulnerabilities))


def write_components(environment: Path, target: Path, run: Run) -> int:
    """Writes the list of all components of an environment, and returns their number.

    Raises:
        RuntimeError: The list cannot be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["environment", str(environment), "--output-format", "JSON", "--output-file", str(target)]
    ended = run([sys.executable, "-m", "cyclonedx_py", *arguments])
    if ended.returncode:
        raise RuntimeError((ended.stderr.strip().splitlines() or ["no list"])[-1])
    return len(json.loads(target.read_text(encoding="utf-8")).get("components", ()))


def main(arguments: Sequence[str], run: Run | None = None) -> int:
    """Prints what was found; returns 0, or 1 if there is a vulnerability or something could not be done."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="fail where the database cannot be reached")
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv")
    asked = parser.parse_args(arguments)
    run = run or (lambda command: subprocess.run(command, capture_output=True, text=True, check=False))
    status = 0
    try:
        print(f"SBOM: {write_components(asked.environment, SBOM, run):,} components in {SBOM.relative_to(ROOT)}")
    except RuntimeError as error:
        print(f"SBOM: failed: {error}", file=sys.stderr)
        status = 1
    try:
        audit = audited(ROOT / "constraints.txt", run)
    except Unreachable as error:
        print(f"pip-audit: skipped: the database of vulnerabilities cannot be reached: {error}", file=sys.stderr)
        return 1 if asked.strict else status
    except RuntimeError as error:
        print(f"pip-audit: failed: {error}", file=sys.stderr)
        return 1
    for one in audit.vulnerabilities:
        print(f"{one.package} {one.version}: {one.id}, fixed in {', '.join(one.fixed_in) or 'no version'}")
    unknown = f"; not looked up: {', '.join(audit.unknown)}" if audit.unknown else ""
    print(f"pip-audit: {len(audit.vulnerabilities)} known vulnerabilities of {audit.packages} packages{unknown}")
    return 1 if audit.vulnerabilities or (asked.strict and audit.unknown) else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
