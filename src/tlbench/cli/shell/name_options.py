"""Declares the options that take names of backbones, tasks and strategies, with completion."""

from __future__ import annotations

from typing import Any

import typer

from tlbench.cli.shell.completion import complete_names

_LETTERS = {"backbone": "-b", "task": "-t", "strategy": "-S"}


def named(kind: str, help_: str) -> Any:
    """Returns the declaration of the option for names of a kind, such as "backbone", with completion."""
    complete = complete_names(kind)
    return typer.Option(
        f"--{kind}", _LETTERS[kind], metavar="NAME", help=help_, show_default=False, autocompletion=complete
    )
