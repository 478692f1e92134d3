"""The reference of the keys of suite files."""

from __future__ import annotations

from typing import Any

import msgspec

from tools.docs_site.references.docstrings import attribute_text, cell


def tables() -> dict[str, type]:
    """Returns the struct of each table of a suite file, by the table's heading."""
    from tlbench.planning.suite import Patch, Suite, SuiteBlock, SuiteReference

    return {
        "At the top of the file": Suite,
        "[protocol]": Patch,
        "[[cells]]": SuiteBlock,
        "[[references]]": SuiteReference,
    }


def key_text(struct: type, name: str) -> str:
    """Returns what a key means: the string below the field, and for a protocol that of `Protocol` before it."""
    from tlbench.contracts.cell import Protocol
    from tlbench.planning.suite import Patch

    of_protocol = attribute_text(Protocol, name) if struct is Patch else ""
    return " ".join(filter(None, [of_protocol, attribute_text(struct, name)]))


def suite_page() -> str:
    """Returns the page."""
    lines = [
        "# Keys of a suite",
        "",
        "A suite is a TOML file of blocks, each a cross-product of backbones, tasks and strategies under a protocol. An"
        " unknown key is an error that names the one that was meant. `tlbench plan --suite FILE` shows what a file asks"
        " for.",
    ]
    for heading, struct in tables().items():
        schema = msgspec.json.schema(struct)
        definition = schema["$defs"][struct.__name__]
        lines += ["", f"## {heading}", "", "| key | value | meaning |", "| --- | --- | --- |"]
        for name, value in definition["properties"].items():
            needed = ", needed" if name in definition.get("required", ()) else ""
            lines.append(f"| `{name}` | {cell(_value(value))}{needed} | {cell(key_text(struct, name))} |")
    return "\n".join(lines)


def _value(schema: dict[str, Any]) -> str:
    """Returns the type of a value in words, from its JSON schema."""
    if "anyOf" in schema:
        kinds = [_value(one) for one in schema["anyOf"]]
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind != "none"))
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "$ref" in schema:
        return "table"
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_value(schema['items'])}" if isinstance(schema.get("items"), dict) else "list"
    words = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "true or false",
        "object": "table",
    }
    bounds = [f"from {schema['minimum']}"] if "minimum" in schema else []
    bounds += [f"above {schema['exclusiveMinimum']}"] if "exclusiveMinimum" in schema else []
    bounds += [f"to {schema['maximum']}"] if schema.get("maximum", 2**31) < 2**31 - 1 else []
    return " ".join([words.get(kind, "none" if kind == "null" else str(kind)), *bounds])
