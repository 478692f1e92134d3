"""The group of all commands: tlbench's own, and those that plugins add by the hook `tlbench_commands`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from tlbench.cli.shell import verbosity
from tlbench.cli.shell.argument_help import restore_argument_help
from tlbench.cli.shell.command_group import CommandGroup
from tlbench.system.stop_signals import Interrupted

_KEY = f"{__name__}.functions"
"""Where click's context keeps the functions of the plugins' commands during one command."""


class ExtensibleGroup(CommandGroup):
    """A group whose commands come from plugins too, which are looked up only if they may be needed."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command.

        Raises:
            UsageError: It does not work on this system.
            Interrupted: Ctrl-C or a signal ended it; typer would make an exit status of 130 of it, without a word.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise Interrupted(stop) from None

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns the command of this name, or None if there is none."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        function = _functions(ctx).get(cmd_name)
        return None if function is None else _command(cmd_name, function)

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names of all commands, tlbench's own first."""
        own: list[str] = super().list_commands(ctx)
        return [*own, *sorted(_functions(ctx).keys() - {*own})]


def _functions(ctx: Any) -> dict[str, Callable[..., None]]:
    from tlbench.catalog.catalog import Catalog
    from tlbench.catalog.discovery import discover

    # The help asks for all names and then for each command; importing all plugins takes most of its time.
    kept: dict[str, Any] = {} if ctx is None else ctx.meta
    if _KEY not in kept:
        kept[_KEY] = Catalog(discover(kinds=())).commands()
    functions: dict[str, Callable[..., None]] = kept[_KEY]
    return functions


def _command(name: str, function: Callable[..., None]) -> Any:
    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.command(name)(function)
    command: Any = typer.main.get_command(app)
    command.params.extend(verbosity.options())
    restore_argument_help(command)
    return command
