"""Where the files of published names lie on this machine: in an environment variable, which all workers are given.

Names in ids and records have no folders (`content_names.py`). A command that was given a path notes it here, and its
workers, on this or another machine, look the file up by its label and digest. No record and no submission holds it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

PLACES_VARIABLE = "TLBENCH_PLACES"
"""The environment variable: a JSON object of absolute paths by label and digest, the newest last."""
_LONGEST = 64_000
"""Largest length of the variable, in characters; systems limit one to 128 KiB."""


def known_places() -> dict[str, str]:
    """Returns the absolute paths that this process knows, by "label@digest"; empty if the variable is damaged."""
    try:
        places = json.loads(os.environ.get(PLACES_VARIABLE, "{}"))
    except ValueError:
        return {}
    return {key: place for key, place in places.items() if isinstance(place, str)} if isinstance(places, dict) else {}


def note_places(places: Mapping[str, str]) -> None:
    """Adds paths to those that this process and the workers it starts from now on know; the oldest make room."""
    known = known_places()
    if all(known.get(key) == place for key, place in places.items()):
        return
    known = {**{key: place for key, place in known.items() if key not in places}, **places}
    while len(text := json.dumps(known)) > _LONGEST and len(known) > 1:
        del known[next(iter(known))]
    os.environ[PLACES_VARIABLE] = text


def without_places(text: str) -> str:
    """Returns a text for a record, such as an error message, with labels of files and folders in place of paths."""
    for key, place in sorted(known_places().items(), key=lambda item: -len(item[1])):
        if len(place) > 1:
            text = text.replace(place, key.rpartition("@")[0])
    return text
