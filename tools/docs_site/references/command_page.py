"""The reference of commands and options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.docs_site.references.docstrings import cell

SHARED = ("--verbose", "--quiet", "--log-level")
"""Options that every command has, listed once."""
_HELP = "--help"


def commands() -> Iterator[tuple[str, Any]]:
    """Yields the name and the object of each command: tlbench's own, and those of this repository's plugins."""
    import typer

    from tlbench.cli.app import app

    group: Any = typer.main.get_command(app)
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "commands"):
            yield from ((f"{name} {inner}", one) for inner, one in command.commands.items())
        else:
            yield name, command


def command_page() -> str:
    """Returns the page."""
    found = list(commands())
    lines = [
        "# Commands",
        "",
        "Every command takes the [options of all commands](#options-of-all-commands). Names with brackets stand in"
        " quotation marks in a shell. What commands print with `--json` is on [a page of its own](../json.md), and the"
        " numbers that they end with are on [another](exit-status.md).",
        "",
        "| command | |",
        "| --- | --- |",
        *(f"| [`tlbench {name}`](#tlbench-{name.replace(' ', '-')}) | {cell(_summary(one))} |" for name, one in found),
    ]
    for name, one in found:
        lines += ["", f"## tlbench {name}", "", *_section(name, one)]
    shared = [option for option in found[0][1].params if set(option.opts) & set(SHARED)]
    return "\n".join([*lines, "", "## Options of all commands", "", *_options(shared)])


def options(command: Any) -> list[Any]:
    """Returns the options of a command that are not those of all commands."""
    named = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    return [one for one in named if _HELP not in one.opts and not set(one.opts) & set(SHARED)]


def arguments(command: Any) -> list[Any]:
    """Returns the arguments of a command."""
    return [one for one in command.params if one.param_type_name == "argument"]


def _summary(command: Any) -> str:
    return (command.help or "").strip().split("\n\n")[0]


def _section(name: str, command: Any) -> list[str]:
    lines = [" ".join(block.split()) + "\n" for block in (command.help or "").replace("\b", "").split("\n\n")]
    places = [_metavar(one) for one in arguments(command)]
    lines += ["```text", " ".join(["tlbench", name, *places, "[OPTIONS]"]), "```"]
    if examples := [line.strip() for line in (command.epilog or "").splitlines() if line.strip().startswith("tlbench")]:
        lines += ["", "For example:", "", *(f"- `{line}`" for line in examples)]
    if named := arguments(command):
        lines += ["", "| argument | meaning |", "| --- | --- |"]
        lines += [f"| `{_argument(one)}` | {cell(one.help or '')} |" for one in named]
    return [*lines, "", *_options(options(command))] if options(command) else lines


def _options(found: list[Any]) -> list[str]:
    rows = ["| option | value | by default | meaning |", "| --- | --- | --- | --- |"]
    for one in found:
        names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
        value = "" if one.is_flag or getattr(one, "count", False) else f"`{_metavar(one)}`"
        rows.append(f"| {names} | {cell(value)} | {cell(_default(one))} | {cell(one.help or '')} |")
    return rows


def _metavar(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return _argument(parameter) if parameter.required else f"[{_argument(parameter)}]"
    kind = parameter.type
    choices = getattr(kind, "choices", None)
    if choices:
        return " or ".join(str(getattr(one, "value", one)) for one in choices)
    return str(
        parameter.metavar
        or {"integer range": "integer", "float range": "number", "float": "number"}.get(kind.name, kind.name)
    )


def _argument(argument: Any) -> str:
    """Returns the name without the brackets around it; those inside, as of `DIST[/NAME]`, belong to it."""
    name = (argument.metavar or argument.name).upper().strip().removesuffix("...")
    name = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    return name + ("..." if argument.nargs == -1 and argument.required else "")


def _default(parameter: Any) -> str:
    default = parameter.default
    if (
        default is None
        or callable(default)
        or default is False
        or default in ((), [], "")
        or getattr(parameter, "count", False)
        or repr(default).startswith("Sentinel")
    ):
        return ""
    if default is True:
        return f"`{parameter.opts[0]}`"
    return f"`{default}`"
