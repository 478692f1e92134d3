"""python -m tools.leaderboards.check_submission BASE HEAD: checks what a pull request changes in `leaderboards/`.

BASE is a checkout of the branch that it goes to, whose code does the checking; HEAD is a checkout of the pull request,
of which only files of `leaderboards/` are read. The report is Markdown on standard output; the exit status is 1 if
anything is rejected.
"""

from __future__ import annotations

import argparse
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import UsageError
from tlbench.results.render.escaping import printable
from tlbench.results.submissions.manifest import MANIFEST, is_submitted_name
from tlbench.results.submissions.submitted_files import submitted_files
from tlbench.results.submissions.tiers import TIERS
from tlbench.running.verification.verify import Verified, verify
from tools.leaderboards.tables import read_tables

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_FOLDER = "leaderboards"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the report; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.leaderboards.check_submission", description=__doc__)
    parser.add_argument("base", type=Path, help="checkout of the branch")
    parser.add_argument("head", type=Path, help="checkout of the pull request")
    options = parser.parse_args(arguments)
    if (options.head / _FOLDER).is_symlink():
        print(f"- **{_FOLDER} is a link**")
        return 1
    changed = changed_files(options.base, options.head)
    own = {table.name for table in read_tables(options.base / _FOLDER / "tables.toml")}
    names, rejected = submissions_of(changed, own)
    catalog = Catalog.discover()
    for name in names:
        lines, is_accepted = _checked(options.head, name, catalog)
        print("\n".join(lines))
        rejected += [] if is_accepted else [f"`{name}` is rejected"]
    for line in rejected:
        print(f"- **{_text(line)}**")
    return 1 if rejected else 0


def changed_files(base: Path, head: Path) -> list[str]:
    """Returns the paths of `leaderboards/` that differ between two checkouts, added and deleted ones too."""
    first, second = (dict(_entries(root / _FOLDER)) for root in (base, head))
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def _entries(root: Path) -> Iterator[tuple[str, tuple[int, bytes]]]:
    """Yields the path, kind and content of each file; links are not followed, and pipes and devices not opened."""
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            kind = stat.S_IFMT(path.lstat().st_mode)
            if kind == stat.S_IFREG:
                content = path.read_bytes()
            elif kind == stat.S_IFLNK:
                content = os.fsencode(os.readlink(path))
            else:
                content = b""
            if kind != stat.S_IFDIR:
                yield path.relative_to(root).as_posix(), (kind, content)


def submissions_of(changed: Iterable[str], own: Iterable[str]) -> tuple[list[str], list[str]]:
    """Returns the names of the submissions that a pull request changes, and a line for each file that it may not.

    Args:
        changed: Paths within `leaderboards`.
        own: Names of the project's own leaderboards.
    """
    names, rejected = set[str](), []
    for path in changed:
        name, _, rest = path.partition("/")
        if not rest:
            rejected.append(f"{path}: only the project's own files stand at the top of {_FOLDER}/: leave it as it is")
        elif name in set(own):
            rejected.append(f"{path}: {name} is the project's own leaderboard: submit under another name")
        elif not _NAME.fullmatch(name):
            rejected.append(f"{path}: a submission is named by lower-case letters, digits and hyphens")
        elif not is_submitted_name(str(PurePosixPath(rest))):
            rejected.append(f"{path}: a submission has no such file: remove it")
        else:
            names.add(name)
    return sorted(names), rejected


def _checked(head: Path, name: str, catalog: Catalog) -> tuple[list[str], bool]:
    """Returns the report of one submission, and whether it is accepted."""
    folder = head / _FOLDER / name
    if folder.is_symlink() or not (folder / MANIFEST).is_file():
        return [f"### {name}", f"- no {MANIFEST}: `tlbench submit --to leaderboards/{name}` writes one"], False
    try:
        with submitted_files(folder) as files:
            found = verify(files, catalog)
    except UsageError as error:
        return [f"### {name}", f"- {_text(str(error))}"], False
    return _report(name, found), found.is_accepted


def _report(name: str, found: Verified) -> list[str]:
    lines = [f"### {name}", "", f"{len(found.records)} records, tier: {found.tier or 'none'}", ""]
    counts = [(tier, sum(one.tier == tier and one.status == "ok" for one in found.records)) for tier in TIERS]
    lines += [f"- {count} {tier}: {TIERS[tier]}" for tier, count in counts if count and found.is_accepted]
    lines += [f"- note: {_text(note)}" for note in sorted({note for one in found.records for note in one.notes})]
    lines += [f"- rejected: {_text(name)}: {_text(reason)}" for name, reason in found.faults.items()]
    lines += [f"- rejected: {_text(one.file)}: {_text(fault)}" for one in found.records for fault in one.faults]
    return lines


def _text(text: str) -> str:
    """Returns a text of a submission as one line that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|@!])", r"\\\1", printable(" ".join(text.split())))


if __name__ == "__main__":
    sys.exit(main())
