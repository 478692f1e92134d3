"""A group of commands that share the options of verbosity and have examples at the end of their help."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

from tlbench.cli.shell import verbosity
from tlbench.cli.shell.argument_help import restore_argument_help
from tlbench.cli.shell.examples import EXAMPLES


class CommandGroup(TyperGroup):
    """A group of commands, each of which gets the options of verbosity and its examples."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.params.extend(verbosity.options())
        for name, command in self.commands.items():
            # A nested group has added the options to its own commands and itself.
            if not isinstance(command, CommandGroup):
                command.params.extend(verbosity.options())
                restore_argument_help(command)
            path = name if self.name in {None, "", "tlbench"} else f"{self.name} {name}"
            if examples := EXAMPLES.get(path):
                # click would join the lines of a paragraph that does not begin with \b.
                command.epilog = "\n".join(["\b", "Examples:", *(f"  {line}" for line in examples)])
