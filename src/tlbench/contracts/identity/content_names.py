"""Names of files and folders of one's own: a label and a digest of the content, without the place where they lie.

A plugin names what it reads from a file `csv:/home/ann/reviews.csv@3f2a9c41d07b`. Ids and records hold
`csv:reviews.csv@sha-3f2a9c41d07b`, which is the same on every machine and tells nobody whose home folder it is.
The label, the part before the @, is for people alone: two names that differ in it mean the same content.

    >>> published_name("csv:/home/ann/reviews.csv@3f2a9c41d07b")
    ('csv:reviews.csv@sha-3f2a9c41d07b', {'reviews.csv@3f2a9c41d07b': '/home/ann/reviews.csv'})
    >>> without_label("csv:reviews.csv@sha-3f2a9c41d07b")
    'csv:@sha-3f2a9c41d07b'
"""

from __future__ import annotations

import re
from pathlib import PurePath

MARK = "sha-"
"""Stands before a digest of content in a published name, so that no commit of a hub is taken for one."""
_PINNED = re.compile(r"(?P<scheme>(?:[\w.-]+:)*)(?P<place>/.*)@(?P<digest>[0-9a-f]{8,64})", re.DOTALL)
_LABELLED = re.compile(rf"(?<=[:=])[^\[\],=\"@:/]+(?=@{MARK}[0-9a-f]{{8,64}}(?:[\[\],\"]|$))")
_PUBLISHED = re.compile(rf"(?P<scheme>(?:[\w.-]+:)*)(?P<label>[^\[\],=\"@:/]+)@{MARK}(?P<digest>[0-9a-f]{{8,64}})")
# What would have to be quoted in a name, or would be read as a part of it.
_ODD = re.compile(r"[\[\],=\"@:/\\\x00-\x1f\x7f]")
# Between two files of one name, as in parallel:/data/train.en+/data/train.de.
_NEXT_FILE = re.compile(r"\+(?=/)")


def published_name(text: str) -> tuple[str, dict[str, str]]:
    """Returns a base or a parameter of a name without the folder of its file, and the place that was left out.

    A text that is not an absolute path with a digest of the content is returned as it is. The place is given by label
    and digest, `reviews.csv@3f2a9c41d07b`.
    """
    match = _PINNED.fullmatch(text)
    if match is None:
        return text, {}
    label = "+".join(label_of(part) for part in _NEXT_FILE.split(match["place"]))
    key = f"{label}@{match['digest']}"
    return f"{match['scheme']}{label}@{MARK}{match['digest']}", {key: match["place"]}


def label_and_digest(text: str) -> tuple[str, str, str] | None:
    """Returns scheme (with its colon, or ""), label and digest of a base or parameter; None if it is no such name."""
    match = _PUBLISHED.fullmatch(text)
    return (match["scheme"], match["label"], match["digest"]) if match else None


def without_label(name: str) -> str:
    """Returns a whole name without the labels of files and folders: equal for names that mean the same content."""
    # Most names have no such part, and ids are made of a hundred thousand of them.
    return _LABELLED.sub("", name) if f"@{MARK}" in name else name


def label_of(place: str) -> str:
    """Returns the label of a path: the name of its file or folder, without what would need quoting in a name."""
    return _ODD.sub("_", PurePath(place).name.strip()) or "data"
