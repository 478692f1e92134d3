"""Help texts of arguments, which typer loses with click 8.5: there, `click.Argument` has a help of its own."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

from typer.models import ArgumentInfo


def restore_argument_help(command: Any) -> None:
    """Gives the arguments of a command that have no help that of their annotations."""
    bare = [one for one in command.params if one.param_type_name == "argument" and not one.help]
    if not bare or command.callback is None:
        return
    # typer wraps the function of a command, whose annotations name what its own module imports.
    hints = get_type_hints(inspect.unwrap(command.callback), include_extras=True)
    for argument in bare:
        infos = [one for one in getattr(hints.get(argument.name), "__metadata__", ()) if isinstance(one, ArgumentInfo)]
        argument.help = next((one.help for one in infos if one.help), None)
    # typer lists arguments with the options; click would do so once more.
    command.format_arguments = lambda ctx, formatter: None
