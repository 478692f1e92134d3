"""The version of the plugin API, as a pair of integers, and the rule by which a plugin's version fits it."""

from __future__ import annotations

from typing import TypeAlias

ApiVersion: TypeAlias = tuple[int, int]

API_VERSION: ApiVersion = (1, 0)
"""Major and minor version of the hooks and of the classes that plugins subclass.

The minor version is raised when something is added that plugins may use, and the major one when something that plugins
use is removed or changes its meaning.
"""
ATTRIBUTE = "tlbench_api"
"""Attribute of a plugin's module that names the version it was written for, as in `tlbench_api = (1, 0)`."""


def text_of(version: ApiVersion) -> str:
    """Returns a version as it is shown, such as "1.0"."""
    return f"{version[0]}.{version[1]}"


def is_version(value: object) -> bool:
    """Returns whether a value is a pair of integers that are at least 0."""
    return isinstance(value, tuple) and len(value) == 2 and all(type(part) is int and part >= 0 for part in value)


def misfit(version: ApiVersion, offered: ApiVersion = API_VERSION) -> str:
    """Returns "old" or "new" if a plugin written for `version` cannot run on the API `offered`, else an empty text."""
    if version[0] < offered[0]:
        return "old"
    return "new" if version > offered else ""
