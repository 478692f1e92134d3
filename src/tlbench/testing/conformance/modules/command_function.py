"""Conformance checks for commands that plugins add."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable
from typing import ClassVar

from tlbench.testing.conformance.every_plugin import check_light, check_name


class CommandConformance:
    """Checks a function of `tlbench_commands`.

    Guarantees: its name is valid; its docstring is the help; typer understands its parameters; importing its module
    loads no heavy library. `tlbench plugin doctor` says whether tlbench or another plugin has a command of this name.

        class TestMyCommand(CommandConformance):
            command = staticmethod(my_command)
            command_name = "my-command"
    """

    command: ClassVar[Callable[..., None]]
    command_name: ClassVar[str]
    """The key of the function in `tlbench_commands`."""

    def test_name(self) -> None:
        """The name is valid on the command line."""
        check_name(self.command_name)

    def test_import_is_light(self) -> None:
        """Importing the command's module does not import heavy libraries such as torch."""
        check_light(self.command)

    def test_help(self) -> None:
        """The function has a docstring, and `--help` shows it with all its options."""
        import typer

        assert inspect.getdoc(self.command), "the command has no docstring, which is its help"
        app = typer.Typer(rich_markup_mode=None, add_completion=False)
        app.command(self.command_name)(self.command)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            typer.main.get_command(app).main(["--help"], standalone_mode=False)
        first = " ".join((inspect.getdoc(self.command) or "").splitlines()[0].split())
        shown = " ".join(printed.getvalue().split())
        assert first in shown, f"`--help` does not show the docstring: {shown:.200}"
