"""Finds the recorded names that a name on the command line means: relative paths, names without pins, and patterns."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from fnmatch import fnmatchcase
from pathlib import Path

from tlbench.catalog.names import nearest, parse, quoted
from tlbench.contracts.errors import UsageError
from tlbench.contracts.identity.content_names import MARK, label_of, without_label

_PIN = re.compile(r"@[\w.-]+$")
_MOST_LISTED = 5


def matching(axis: str, text: str, known: Collection[str], canonical: Callable[[str], str]) -> set[str]:
    """Returns the recorded names that a text means.

    A name without parameters means all its variants, and a name without a pin, as in csv:reviews.csv, all its versions.
    A path means the file that is there, or if it was not recorded, all of its name. A text with * or ? is a pattern.

    Args:
        axis: "task", "backbone" or "strategy", for messages.
        text: The name or pattern.
        known: The names in the records.
        canonical: Returns the canonical name of an installed object; called only if the text itself matches nothing.

    Raises:
        UsageError: No recorded name matches, or the path could be one of several.
    """
    if re.search(r"[*?]", text):
        found = {name for name in known if _fits_pattern(name, text)}
    else:
        found = set(known) & {text} or _named(axis, text, known)
        if not found:
            try:
                found = _named(axis, canonical(text), known)
            except UsageError:
                # The plugin or the file may be gone; the records have their names as they were.
                found = set()
        if not found:
            found = _named(axis, _by_label(text), known)
    if not found:
        bases = {_without_pin(parse(name)[0]) for name in known if name}
        raise UsageError(f"no record of the {axis} {text}{nearest(text, {_file(base) for base in bases})}")
    contents = {without_label(name) for name in found}
    return {name for name in known if without_label(name) in contents}


def _fits_pattern(name: str, pattern: str) -> bool:
    # Brackets hold parameters in a name; in the pattern they must not mean a set of characters.
    escaped = pattern.replace("[", "[[]")
    return any(fnmatchcase(one, escaped) for one in (name, _without_pin(name), _without_pin(parse(name)[0])) if one)


def _named(axis: str, text: str, known: Collection[str]) -> set[str]:
    base, params = parse(text)
    pinned = _PIN.search(base)
    candidates = []
    for name in known:
        other, values = parse(name) if name else ("", {})
        if params.items() <= values.items() and (not pinned or _fits_pin(base, other)):
            candidates.append((name, _without_pin(other)))
    wanted = _without_pin(base)
    for path in (wanted, _absolute(wanted)):
        if found := {name for name, other in candidates if other == path}:
            return found
    # Recorded in another working directory or on another machine: match the end of the path, if only one path has it.
    scheme, colon, rest = wanted.partition(":")
    ends = {other for _, other in candidates if colon and other.startswith(f"{scheme}:") and other.endswith(f"/{rest}")}
    if len(ends) > 1:
        listed = " or ".join(sorted(ends)[:_MOST_LISTED])
        raise UsageError(f"the {axis} {text} could be {listed}: give more of the path, or a pattern such as '*{rest}*'")
    return {name for name, other in candidates if other in ends}


def _absolute(base: str) -> str:
    """Returns a name with the path after its scheme made absolute."""
    scheme, colon, rest = base.partition(":")
    if not colon:
        return base
    try:
        return f"{scheme}:{Path(rest).expanduser().resolve()}"
    # The home folder of ~name is unknown, or the text cannot be a path (it has a null character, say).
    except (RuntimeError, OSError, ValueError):
        return base


def _by_label(text: str) -> str:
    """Returns a name with the label in place of the path after its scheme, as names of one's own files are recorded."""
    base, params = parse(text)
    scheme, colon, rest = base.partition(":")
    path, pin = _without_pin(rest), _PIN.search(rest)
    base = f"{scheme}:{label_of(path)}{pin[0] if pin else ''}" if colon else base
    values = ",".join(f"{key}={quoted(value)}" for key, value in params.items())
    return f"{base}[{values}]" if values else base


def _fits_pin(base: str, other: str) -> bool:
    given, recorded = (_PIN.search(one) for one in (base, other))
    if given is None or recorded is None:
        return given is None
    # Pins of files were recorded without the mark by versions that recorded their folders too.
    return recorded[0].replace(MARK, "", 1).startswith(given[0].replace(MARK, "", 1))


def _without_pin(name: str) -> str:
    return _PIN.sub("", name)


def _file(base: str) -> str:
    """Returns a name with its absolute path cut to the file name: "csv:/data/a.csv" becomes "csv:a.csv"."""
    scheme, colon, rest = base.partition(":")
    return f"{scheme}:{rest.rpartition('/')[2]}" if colon and rest.startswith("/") else base
