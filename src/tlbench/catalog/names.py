"""Names with parameters, such as `partial-finetune[stages=2]`: parsing, conversion by type, and the canonical form.

A canonical name is part of a cell's identity, so all ways to write the same object must give the same canonical name.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar, get_type_hints

import msgspec

from tlbench.contracts.errors import UsageError
from tlbench.contracts.identity.content_names import published_name

T = TypeVar("T")

_QUOTED = r'"(?:[^"]|"")*"'
# A scheme, as csv:, stands before the quoted part of a base. A quotation mark elsewhere is a plain character.
_BASE = rf"(?:(?P<scheme>[^\[\]\":]+:)?(?P<quoted>{_QUOTED})|(?P<plain>[^\[\]]+))"
_VALUE = rf"\s*(?:{_QUOTED}\s*|(?!\s*\")[^\[\],]*)"
_NAME = re.compile(rf"\s*{_BASE}\s*(?:\[(?P<params>(?:[^\[\],=]*(?:={_VALUE})?(?:,|(?=\])))*)\])?\s*", re.DOTALL)
_PART = re.compile(rf"(?P<key>[^\[\],=]*)(?P<value>={_VALUE})?(?:,|$)", re.DOTALL)
_TYPES = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "text", "null": "null"}
"""The words for a valid value of each type in error messages."""
# A dataclass may have its name as a field; setting it in brackets would rename the object to one that does not exist.
_RESERVED = {"name"}


class UnknownParameter(UsageError):
    """A name sets a parameter that the object does not have."""

    def __init__(self, message: str, key: str) -> None:
        super().__init__(message)
        self.key = key


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Splits a name into its base and its parameters, whose values are not converted from text.

    A value, or the part of a base after its scheme, is written in double quotation marks if it has brackets, commas or
    spaces at an end; a quotation mark inside is doubled.

        >>> parse("partial-finetune[stages=2]")
        ('partial-finetune', {'stages': '2'})
        >>> parse('csv:"reviews[1].csv"[text="a,b"]')
        ('csv:reviews[1].csv', {'text': 'a,b'})

    Raises:
        UsageError: Unbalanced brackets, a parameter without a value, or one that is repeated.
    """
    match = _NAME.fullmatch(text)
    if not match:
        raise UsageError(
            f"cannot read the name {text!r}: it should look like name or name[key=value,key=value];"
            ' quote what holds brackets or commas, as csv:"a[1].csv"[text="b,c"]'
        )
    params: dict[str, str] = {}
    for part in _PART.finditer(match["params"] or ""):
        key, value = part["key"].strip(), part["value"]
        if not part[0].strip(" \t\n,"):  # a trailing comma
            continue
        if value is None or not key:
            raise UsageError(f"cannot read {part[0].rstrip(',').strip()!r} in {text!r}: a parameter is key=value")
        if key in params:
            raise UsageError(f"the parameter {key!r} is repeated in {text!r}")
        params[key] = _unquoted(value.removeprefix("="))
    base = (match["scheme"] or "") + _unquoted(match["quoted"]) if match["quoted"] else match["plain"].strip()
    return base, params


def configure(item: T, params: Mapping[str, str], name: str) -> T:
    """Returns a copy of a frozen dataclass with the given fields replaced, each converted to the field's type.

    Args:
        item: The object as its plugin registered it.
        params: Values as text, by field name.
        name: The object's name, for messages.

    Raises:
        UnknownParameter: A parameter that the object does not have.
        UsageError: A value of the wrong type, or one that the object refuses.
    """
    if not params:
        return item
    fields = parameters(item)
    changes: dict[str, Any] = {}
    for key, text in params.items():
        if key not in fields:
            known = ", ".join(sorted(fields)) or "none"
            meant = similar(key, fields) or ";"
            raise UnknownParameter(f"{name} has no parameter {key!r}{meant} it has: {known}", key)
        try:
            changes[key] = _converted(text, fields[key])
        except msgspec.ValidationError as error:
            raise UsageError(f"{name}[{key}={text}]: {_expectation(error)}") from None
    try:
        # mypy cannot know that T is a dataclass; `parameters` is empty for anything else.
        return dataclasses.replace(item, **changes)  # type: ignore[type-var]
    except (ValueError, TypeError) as error:
        # From the plugin's __post_init__, which checks what a type cannot.
        raise UsageError(f"{name}: {error}") from None


def canonical(base: str, registered: object, configured: object) -> str:
    """Returns the name with the parameters that differ from the registered object, sorted by key.

    So `a[x=1,y=2]`, `a[y=2, x=1]` and, if 1 is the default of x, `a[y=2]` have one canonical name and one identity.
    """
    changed = []
    for key in sorted(parameters(registered)):
        value = getattr(configured, key)
        if value != getattr(registered, key):
            changed.append(f"{key}={quoted(_text(value))}")
    return f"{quoted_base(base)}[{','.join(changed)}]" if changed else quoted_base(base)


def published(name: str) -> tuple[str, dict[str, str]]:
    """Returns a canonical name without the folders of files of one's own, and the absolute paths by label and digest.

    Raises:
        UsageError: The name cannot be read.
    """
    # Digests of files follow an @ and an absolute path; most names have neither.
    if "@" not in name or "/" not in name:
        return name, {}
    base, params = parse(name)
    shown, places = published_name(base)
    values = []
    for key, value in params.items():
        text, more = published_name(value)
        values.append(f"{key}={quoted(text)}")
        places |= more
    if not places:
        return name, {}
    return f"{quoted_base(shown)}[{','.join(values)}]" if values else quoted_base(shown), places


def with_parameter(name: str, key: str, value: object) -> str:
    """Returns a name with one parameter set to a value, and the other parameters as they are, sorted by key.

        >>> with_parameter("toy[width=8]", "blocks", 2)
        'toy[blocks=2,width=8]'

    Raises:
        UsageError: The name cannot be read.
    """
    base, params = parse(name)
    params[key] = _text(value)
    return f"{quoted_base(base)}[{','.join(f'{key}={quoted(params[key])}' for key in sorted(params))}]"


def quoted(value: str) -> str:
    """Returns the value of a parameter as it is written in a name: in quotation marks if it needs them to be parsed."""
    is_plain = not re.search(r"[\[\],]", value) and value == value.strip() and not value.startswith('"')
    return value if is_plain else _in_quotes(value)


def quoted_base(base: str) -> str:
    """Returns the base of a name, such as csv:a.csv, with the part after the scheme in quotation marks if needed."""
    scheme, colon, rest = base.partition(":")
    if not colon:
        scheme, rest = "", base
    # Unlike in a value, a comma needs no quotation marks here.
    is_plain = not re.search(r"[\[\]]", rest) and rest == rest.strip() and not rest.startswith('"')
    return base if is_plain else f"{scheme}{colon}{_in_quotes(rest)}"


def parameters(item: object) -> dict[str, Any]:
    """Returns the fields of a dataclass that can be set in a name, each with its type; empty for other objects.

    Raises:
        UsageError: The annotations of the plugin's class cannot be evaluated.
    """
    if not dataclasses.is_dataclass(item):
        return {}
    try:
        # The types of dataclasses.fields are text under `from __future__ import annotations`.
        hints = get_type_hints(type(item))
    except Exception as error:
        raise UsageError(f"the types of the fields of {type(item).__qualname__} cannot be read: {error}") from error
    return {f.name: hints[f.name] for f in dataclasses.fields(item) if f.init and f.name not in _RESERVED}


@dataclasses.dataclass(frozen=True)
class ParameterValue:
    """A parameter of an object: its name, its value as it is written in brackets, and one line of help."""

    name: str
    value: str
    help: str = ""


def parameter_values(item: object) -> list[ParameterValue]:
    """Returns the parameters of an object with their values, in the order in which its class declares them.

    A field of a plugin's dataclass may say more in its metadata: `help`, one line; and `applies`, a function of the
    object that returns whether the field has an effect. A field that has none is left out.
    """
    settable = parameters(item)
    if not dataclasses.is_dataclass(item):
        return []
    return [
        ParameterValue(field.name, quoted(_text(getattr(item, field.name))), str(field.metadata.get("help", "")))
        for field in dataclasses.fields(item)
        if field.name in settable and ("applies" not in field.metadata or field.metadata["applies"](item))
    ]


def fault_of_name(name: str) -> str:
    """Returns why this name of a plugin's object cannot be written in a suite or command; empty if it can."""
    if not name:
        return "it is empty"
    if name.startswith("-"):
        return "it begins with a dash, as options do"
    odd = sorted(
        {character for character in name if character in "[]=," or not character.isprintable() or character.isspace()}
    )
    return f"it holds {', '.join(map(ascii, odd))}" if odd else ""


def similar(name: str, known: Iterable[str]) -> str:
    """Returns a suffix for messages, "; did you mean X?" with the most similar known name; empty if none is similar."""
    names = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(name.casefold(), sorted(names), n=1)
    return f"; did you mean {names[close[0]]}?" if close else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns a suffix for messages about an unknown name: it lists similar names, or else the first known names."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    # difflib misses a short part of a long name, such as "minilm" for "minilm-l6-h384-uncased".
    close += [n for n in names if n not in close and (name in n or n in name)][: 3 - len(close)]
    if close:
        return f"; did you mean {', '.join(close)}?"
    if names:
        return f"; there is {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
    return "; none is installed"


def _in_quotes(text: str) -> str:
    return '"{}"'.format(text.replace('"', '""'))


def _unquoted(text: str) -> str:
    text = text.strip()
    is_quoted = re.fullmatch(_QUOTED, text, re.DOTALL)
    return text[1:-1].replace('""', '"') if is_quoted else text


def _converted(text: str, type_: Any) -> Any:
    if text == "null":
        # Tried first, since the type str | None would also accept the text "null".
        with suppress(msgspec.ValidationError):
            return msgspec.convert(None, type_)
    # Not strict, since every value is text here: "2" becomes an int, "true" a bool.
    return msgspec.convert(text, type_, strict=False)


def _expectation(error: msgspec.ValidationError) -> str:
    """Returns the end of an error message that names the expected type, such as "expected true or false"."""
    text = str(error)
    # msgspec writes "Expected `int | null`, got `str`"; other messages say more than the type.
    match = re.fullmatch(r"Expected `([a-z |]+)`, got `\w+`", text)
    types = match[1].split(" | ") if match else ["?"]
    if all(one in _TYPES for one in types):
        return f"expected {' or '.join(_TYPES[one] for one in types)}"
    return f"{text[0].lower()}{text[1:]}"


def _text(value: object) -> str:
    # As `_converted` reads it: str(True) would be "True", which is no bool to msgspec.
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
