"""Values from `--set NAME=VALUE`: a hyperparameter, a parameter of a strategy, or a field of the protocol."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.names import nearest, parameters, parse, with_parameter
from tlbench.catalog.unknown_names import hyperparameters
from tlbench.contracts.errors import UsageError
from tlbench.contracts.space import Override, Space, Value, narrow
from tlbench.planning.space_context import space_about
from tlbench.planning.suite import Patch, Suite, SuiteBlock, readable

_LISTED = {"seeds", "shots", "train_fraction"}
"""Fields of the protocol that may have several values, separated by commas."""
SCOPES = {"space": "a hyperparameter", "strategy": "a parameter", "protocol": "a field of the protocol"}
"""What a name can refer to, by scope: the optional word before the dot, as in `space.lr=1e-4`."""


@dataclass(frozen=True)
class NamedValue:
    """One option `--set`, with its value as text."""

    name: str
    value: str
    scope: str = ""
    """A key of `SCOPES`; empty if the name alone decides what it refers to."""

    @property
    def text(self) -> str:
        """The option as it was written."""
        scope = f"{self.scope}." if self.scope else ""
        return f"--set {scope}{self.name}={self.value}"


@dataclass(frozen=True)
class Applied:
    """A suite, its chosen blocks and the protocol's changes, with the settings applied."""

    suite: Suite
    blocks: tuple[SuiteBlock, ...]
    protocol: Patch
    notes: tuple[str, ...] = ()
    """For each setting, a line on what it is and where it applies."""


def read_settings(texts: Sequence[str]) -> tuple[NamedValue, ...]:
    """Returns the settings in texts such as "lr=1e-4".

    Raises:
        UsageError: A text has another form, or sets a name again.
    """
    settings: dict[tuple[str, str], NamedValue] = {}
    for text in texts:
        path, sign, value = (part.strip() for part in text.partition("="))
        scope, _, name = path.rpartition(".")
        if not (sign and name and value) or scope not in {"", *SCOPES}:
            raise UsageError(f"--set {text}: write NAME=VALUE, as lr=1e-4 or space.lr=1e-4")
        if (scope, name) in settings:
            raise UsageError(f"--set {text}: {name} is set twice")
        settings[scope, name] = NamedValue(name, value, scope)
    return tuple(settings.values())


def apply_settings(
    settings: Sequence[NamedValue], suite: Suite, blocks: Sequence[SuiteBlock], protocol: Patch, catalog: Catalog
) -> Applied:
    """Returns the suite, blocks and protocol with settings applied to all strategies of the blocks that have them.

    Args:
        settings: The settings.
        suite: The suite, whose spaces are narrowed.
        blocks: The chosen blocks, whose strategies get parameters.
        protocol: The fields of the protocol that other options of the command line set.
        catalog: The installed plugins.

    Raises:
        UsageError: A name that refers to nothing or to several things, or a value that is not valid for it.
    """
    applied = Applied(suite, tuple(blocks), protocol)
    for setting in settings:
        applied = _apply(setting, applied, catalog)
    return applied


def _apply(setting: NamedValue, applied: Applied, catalog: Catalog) -> Applied:
    spaces = {name: space for name, space in _spaces(applied, catalog) if setting.name in space}
    names = dict.fromkeys(name for block in applied.blocks for name in block.strategies)
    owners = [name for name in names if setting.name in parameters(catalog.strategy(name).item)]
    found = {
        "space": f"{SCOPES['space']} of {_listed(spaces)}" if spaces else "",
        "strategy": f"{SCOPES['strategy']} of {_listed(owners)}" if owners else "",
        "protocol": SCOPES["protocol"] if setting.name in Patch.__struct_fields__ else "",
    }
    scopes = [scope for scope, text in found.items() if text and setting.scope in {"", scope}]
    if not scopes:
        known = _known(applied, names, catalog)
        raise UsageError(
            f"{setting.text}: nothing here has {setting.name!r}{nearest(setting.name, known)}"
            f"{_task_option_hint(setting, applied.blocks)}"
        )
    if len(scopes) > 1:
        choices = " or ".join(f"--set {scope}.{setting.name}={setting.value}" for scope in scopes)
        raise UsageError(f"{setting.text}: it is {' and '.join(found[scope] for scope in scopes)}: give {choices}")
    (scope,) = scopes
    applied = replace(applied, notes=(*applied.notes, f"{setting.text}: {found[scope]}"))
    if scope == "space":
        return _with_hyperparameter(setting, applied, spaces, catalog)
    return _with_parameter(setting, applied, owners, catalog) if scope == "strategy" else _with_field(setting, applied)


def _task_option_hint(setting: NamedValue, blocks: Sequence[SuiteBlock]) -> str:
    """Returns a hint that options of the user's own data are written in the task's name.

    Empty if no block has such a task, or if the setting has a scope.
    """
    own = next((name for block in blocks for name in block.tasks if ":" in name.partition("[")[0]), None)
    if own is None or setting.scope:
        return ""
    example = f"{own.removesuffix(']')}{',' if own.endswith(']') else '['}{setting.name}={setting.value}]"
    return f"; an option of a task's data is written in its name, as -t {shlex.quote(example)}"


def _with_field(setting: NamedValue, applied: Applied) -> Applied:
    protocol = applied.protocol
    if getattr(protocol, setting.name) is not msgspec.UNSET:
        raise UsageError(f"{setting.text}: another option sets {setting.name}: give one of them")
    given = setting.value.split(",") if setting.name in _LISTED and "," in setting.value else setting.value
    values = [part for part in given if part.strip()] if isinstance(given, list) else given
    try:
        # Not strict, since every value is text here.
        field = msgspec.convert({setting.name: values}, Patch, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise UsageError(f"{setting.text}: {readable(error).partition(': ')[2] or readable(error)}") from None
    return replace(applied, protocol=msgspec.structs.replace(protocol, **{setting.name: getattr(field, setting.name)}))


def _with_parameter(setting: NamedValue, applied: Applied, owners: Sequence[str], catalog: Catalog) -> Applied:
    renamed: dict[str, str] = {}
    for name in owners:
        if parse(name)[1].get(setting.name, setting.value) != setting.value:
            raise UsageError(f"{setting.text}: {name} sets {setting.name} itself: give one of them")
        renamed[name] = with_parameter(name, setting.name, setting.value)
        # A value of the wrong type is reported here, with the option that gave it.
        try:
            catalog.strategy(renamed[name])
        except UsageError as error:
            raise UsageError(f"{setting.text}: {error}") from None
    blocks = tuple(
        msgspec.structs.replace(block, strategies=tuple(renamed.get(name, name) for name in block.strategies))
        for block in applied.blocks
    )
    space = dict(applied.suite.space)
    for name, new in renamed.items():
        # Overrides of the suite for the strategy with exactly the old parameters also apply with the new ones.
        for key, overrides in applied.suite.space.items():
            if parse(key)[1] and catalog.strategy(key).ref.name == catalog.strategy(name).ref.name:
                space[new] = {**space.get(new, {}), **overrides}
    return replace(applied, blocks=blocks, suite=msgspec.structs.replace(applied.suite, space=space))


def _with_hyperparameter(
    setting: NamedValue, applied: Applied, spaces: Mapping[str, Space], catalog: Catalog
) -> Applied:
    space = dict(applied.suite.space)
    for name, domains in spaces.items():
        override = _override(setting, domains)
        canonical = catalog.strategy(name).ref.name
        # Removed and added again: of two spellings of one strategy, the later one counts.
        space[canonical] = {**space.pop(canonical, {}), setting.name: override}
    return replace(applied, suite=msgspec.structs.replace(applied.suite, space=space))


def _override(setting: NamedValue, space: Space) -> Override:
    values = _values(setting.value)
    for value in values:
        try:
            narrow(space, {setting.name: value})
        except ValueError:
            continue
        return value
    try:
        narrow(space, {setting.name: values[0]})
    except ValueError as error:
        raise UsageError(f"{setting.text}: {str(error).partition(': ')[2]}") from None
    raise AssertionError("a value that every attempt refused was accepted")


def _values(text: str) -> list[Value]:
    """Returns the values that a text can mean, most specific first: a bool, an int, a float, and the text itself."""
    values: list[Value] = [text.lower() == "true"] if text.lower() in {"true", "false"} else []
    for convert in (int, float):
        try:
            values.append(convert(text))
        except ValueError:
            continue
    return [*values, text]


def _spaces(applied: Applied, catalog: Catalog) -> Iterator[tuple[str, Space]]:
    """Yields the strategies of the blocks with their search spaces, merged over the blocks' tasks and backbones."""
    spaces: dict[str, Space] = {}
    for block in applied.blocks:
        for name in block.strategies:
            strategy = catalog.strategy(name).item
            space = spaces.setdefault(name, dict(hyperparameters(strategy)))
            for task in block.tasks:
                for backbone in block.backbones or (None,):
                    item = catalog.backbone(backbone).item if backbone else None
                    try:
                        about = space_about(catalog.task(task).item, applied.suite.protocols_of(block)[0], item)
                        space |= strategy.space(about)
                    # A combination that cannot run, or a plugin's mistake: the plan reports either.
                    except (Exception, SystemExit):
                        continue
    yield from spaces.items()


def _known(applied: Applied, names: Sequence[str] | Mapping[str, None], catalog: Catalog) -> set[str]:
    known = {key for _, space in _spaces(applied, catalog) for key in space}
    known |= {key for name in names for key in parameters(catalog.strategy(name).item)}
    return known | set(Patch.__struct_fields__)


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(names)
