"""Whether a plugin fits this version of tlbench, by the API version in its module or by its requirement."""

from __future__ import annotations

from functools import cache
from importlib import metadata

from tlbench.contracts.plugins.api_version import API_VERSION, ATTRIBUTE, ApiVersion, is_version, misfit, text_of
from tlbench.system.version import VERSION

OWN = "tlbench"
"""Name of the distribution that tlbench's own objects belong to."""


def declared_api(module: object) -> ApiVersion | None:
    """Returns the API version that a plugin's module names, or None if it names none."""
    version = getattr(module, ATTRIBUTE, None)
    return version if is_version(version) else None


def fault_of_api(module: object, distribution: str) -> str:
    """Returns why a loaded plugin does not fit this version of tlbench, in one line; an empty text if it does.

    Args:
        module: The plugin's module.
        distribution: The distribution that brings it; empty for a module that is not installed.
    """
    declared = getattr(module, ATTRIBUTE, None)
    if declared is None:
        return fault_of_requirement(distribution)
    if not is_version(declared):
        return f"its {ATTRIBUTE} is {declared!r:.60}, which is no pair of integers such as {API_VERSION}"
    if not (age := misfit(declared)):
        return ""
    upgrade = OWN if age == "new" else distribution or "it"
    return (
        f"it is too {age}: it was written for version {text_of(declared)} of the plugin API, and tlbench {VERSION} has"
        f" {text_of(API_VERSION)}; upgrade {upgrade}"
    )


def fault_of_requirement(distribution: str) -> str:
    """Returns why tlbench's version does not meet the requirement of an installed distribution; "" if it does."""
    requirement = requirement_of(distribution) if distribution else ""
    return _unmet(requirement) if requirement else ""


def requirement_of(distribution: str) -> str:
    """Returns the versions of tlbench that a distribution requires, such as ">=0.1,<0.2"; empty if it says nothing."""
    if distribution == OWN:
        return ""
    try:
        lines = metadata.requires(distribution) or ()
    except metadata.PackageNotFoundError:
        return ""
    # Read by a parser only where it is tlbench's own line: the other requirements are of no interest.
    found = (_versions(line) for line in lines if line.startswith(OWN))
    return next((versions for versions in found if versions), "")


@cache
def _versions(line: str) -> str:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return ""
    return str(requirement.specifier) if requirement.name == OWN and requirement.marker is None else ""


@cache
def _unmet(versions: str) -> str:
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    specifiers, installed = SpecifierSet(versions), Version(VERSION)
    if specifiers.contains(installed, prereleases=True):
        return ""
    # Too new if only a later tlbench would do.
    lower = [one for one in specifiers if one.operator in {">", ">=", "~=", "=="} and not one.version.endswith("*")]
    is_new = any(Version(one.version) >= installed for one in lower)
    return (
        f"it is too {'new' if is_new else 'old'}: it requires tlbench {versions}, and this is tlbench {VERSION};"
        f" upgrade {OWN if is_new else 'it'}"
    )
