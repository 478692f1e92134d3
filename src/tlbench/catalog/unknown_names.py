"""Hints for messages about unknown names and misplaced parameters: what was meant, or where the parameter belongs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tlbench.catalog.loading.missing_packages import SCHEMES, to_install
from tlbench.catalog.loading.project_names import package_of
from tlbench.catalog.names import nearest, parameters, parse, quoted
from tlbench.contracts.cell import Protocol
from tlbench.contracts.fits.task_info import SpaceContext, TaskInfo
from tlbench.contracts.outputs import Classes
from tlbench.contracts.strategy import Strategy

_OPTIONS = {"task": "--task", "backbone": "--backbone", "strategy": "--strategy", "suite": "--suite"}
_MOST_SUGGESTIONS = 3
_EXAMPLE = SpaceContext(TaskInfo("any", Classes(("0", "1")), ("accuracy",)), Protocol(), None)
"""The argument of `Strategy.space` if neither task nor backbone is given: an example task of two classes."""


def unknown_name_hint(
    kind: str,
    name: str,
    names: Mapping[str, Iterable[str]],
    suggested: Sequence[str] = (),
    forms: Sequence[str] = (),
) -> str:
    """Returns the end of a message about an unknown name: what may have been meant, or which names exist.

    Args:
        kind: The kind of object that was looked for.
        name: The unknown name, without parameters.
        names: The known names of every kind.
        suggested: Names with a scheme that plugins suggest.
        forms: The forms of names with a scheme of this kind, such as "hf:<folder>".
    """
    known = list(names.get(kind, ()))
    others = [other for other in _OPTIONS if other != kind and name in names.get(other, ())]
    if others and kind in _OPTIONS:
        hint = nearest(name, known)
        return f"; it is a {others[0]}: give it with {_OPTIONS[others[0]]}{hint if hint.endswith('?') else ''}"
    if package := package_of(kind, name):
        return f"; the package {package} brings it: pip install {package}"
    if suggested:
        similar = difflib.get_close_matches(name, sorted(known), n=_MOST_SUGGESTIONS, cutoff=0.8)
        return f"; did you mean {', '.join([*suggested, *similar][:_MOST_SUGGESTIONS])}?"
    if not known and not forms and (packages := to_install(kind)):
        return f"; no installed plugin brings a {kind}: {packages}"
    hint = nearest(name, known)
    return hint if hint.endswith("?") or not forms else f"{hint}; or name one as {', '.join(forms)}"


def unknown_scheme_hint(kind: str, name: str, schemes: Mapping[str, Sequence[str]]) -> str:
    """Returns the end of a message about a name whose scheme no plugin resolves to the kind.

    Args:
        kind: The kind of object that was looked for.
        name: The name, with its scheme.
        schemes: The forms of names with a scheme, by kind.
    """
    scheme, _, rest = name.partition(":")
    others = [other for other, forms in schemes.items() if other != kind and scheme in _prefixes(forms)]
    forms = schemes.get(kind, ())
    there = f"a {kind} is named as {', '.join(forms)}" if forms else f"no plugin has names of this form for a {kind}"
    if others:
        return f"; {scheme}: names a {others[0]}, and {there}"
    if scheme in SCHEMES and scheme not in _prefixes(forms):
        return f"; the package {SCHEMES[scheme]} does: pip install {SCHEMES[scheme]}"
    close = difflib.get_close_matches(scheme.lower(), sorted(_prefixes(forms)), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}:{rest}?" if close else f"; is the plugin for {scheme!r} installed? {there}"


def misplaced_parameter_hint(item: object, name: str, key: str, value: str) -> str:
    """Returns a hint if a key that is no parameter of a strategy is in its search space or the protocol; else ""."""
    if not isinstance(item, Strategy):
        return ""
    if key in hyperparameters(item):
        return (
            f"{key} is a hyperparameter of its search: fix it with --set {key}={value}, or in a suite with"
            f" [space.{name}] {key} = {value}"
        )
    if key in Protocol.__struct_fields__:
        return f"{key} belongs to the protocol: --set {key}={value}, or in a suite [protocol] {key} = {value}"
    return ""


def misplaced_hyperparameter_hint(item: object, name: str, key: str) -> str:
    """Returns a hint if a key of a suite's `[space]` is a parameter of the strategy or in the protocol; else ""."""
    if key in parameters(item):
        base, given = parse(name)
        written = ",".join([*(f"{one}={quoted(value)}" for one, value in given.items() if one != key), f"{key}=..."])
        return f"; {key} is a parameter of the strategy: name it {base}[{written}], or give --set {key}=..."
    return f"; {key} belongs in [protocol]" if key in Protocol.__struct_fields__ else ""


def hyperparameters(strategy: Strategy) -> Mapping[str, Any]:
    """Returns the search space that a strategy has on an example task of two classes; empty if `space` raises."""
    try:
        return dict(strategy.space(_EXAMPLE))
    # `space` may need a backbone; a mistake in it is reported when the space of a cell is needed.
    except (Exception, SystemExit):
        return {}


def _prefixes(forms: Iterable[str]) -> set[str]:
    return {form.partition(":")[0] for form in forms}
