"""Names with parameters: `partial-finetune[stages=2]`, parsed strictly and written canonically."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar, get_type_hints

import msgspec

from tlbench.contracts.errors import UsageError

T = TypeVar("T")

_NAME = re.compile(r"(?P<base>[^\[\]]+)(?:\[(?P<params>[^\[\]]*)\])?")
_RESERVED = {"name"}


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Returns the name and its parameters as text.

    Raises:
        UsageError: Brackets or parameters that cannot be read.
    """
    match = _NAME.fullmatch(text.strip())
    if not match:
        raise UsageError(f"cannot read the name {text!r}: it should look like name or name[key=value,key=value]")
    params: dict[str, str] = {}
    for part in (match["params"] or "").split(","):
        if not part.strip():
            continue
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"cannot read {part.strip()!r} in {text!r}: a parameter is key=value")
        if key.strip() in params:
            raise UsageError(f"{key.strip()!r} stands twice in {text!r}")
        params[key.strip()] = value.strip()
    return match["base"].strip(), params


def configure(item: T, params: Mapping[str, str], name: str) -> T:
    """Returns the object with these fields of its frozen dataclass replaced, converted strictly.

    Raises:
        UsageError: A parameter that the object does not have, or a value of the wrong type.
    """
    if not params:
        return item
    fields = parameters(item)
    changes: dict[str, Any] = {}
    for key, text in params.items():
        if key not in fields:
            known = ", ".join(sorted(fields)) or "none"
            raise UsageError(f"{name} has no parameter {key!r}; it has: {known}")
        try:
            changes[key] = _converted(text, fields[key])
        except msgspec.ValidationError as error:
            raise UsageError(f"{name}[{key}={text}]: {str(error)[0].lower()}{str(error)[1:]}") from None
    try:
        return dataclasses.replace(item, **changes)  # type: ignore[type-var]
    except (ValueError, TypeError) as error:
        raise UsageError(f"{name}: {error}") from None


def canonical(base: str, registered: object, configured: object) -> str:
    """Returns the name with those parameters, sorted, in which the object differs from the registered one."""
    changed = []
    for key in sorted(parameters(registered)):
        value = getattr(configured, key)
        if value != getattr(registered, key):
            changed.append(f"{key}={_text(value)}")
    return f"{base}[{','.join(changed)}]" if changed else base


def parameters(item: object) -> dict[str, Any]:
    """Returns the parameters that a name may carry: field to type; empty where it is no dataclass."""
    if not dataclasses.is_dataclass(item):
        return {}
    try:
        hints = get_type_hints(type(item))
    except Exception as error:
        raise UsageError(f"the types of the fields of {type(item).__qualname__} cannot be read: {error}") from error
    return {f.name: hints[f.name] for f in dataclasses.fields(item) if f.init and f.name not in _RESERVED}


def fault_of_name(name: str) -> str:
    """Returns why a plugin's object cannot have this name, in a suite or on the command line; empty if it can."""
    if not name:
        return "it is empty"
    if name.startswith("-"):
        return "it begins with a dash, as options do"
    odd = sorted(
        {character for character in name if character in "[]=," or not character.isprintable() or character.isspace()}
    )
    return f"it holds {', '.join(map(ascii, odd))}" if odd else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns "; did you mean ...?" for an unknown name, or a list of what there is, or nothing."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    close += [n for n in names if n not in close and (name in n or n in name)][: 3 - len(close)]
    if close:
        return f"; did you mean {', '.join(close)}?"
    if names:
        return f"; there is {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
    return "; none is installed"


def _converted(text: str, kind: Any) -> Any:
    if text == "null":
        # A str | None would take the word itself.
        with suppress(msgspec.ValidationError):
            return msgspec.convert(None, kind)
    return msgspec.convert(text, kind, strict=False)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
