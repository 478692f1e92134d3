"""How much is printed: `-v`, `-q` and `--log-level` of every command, kept as the level of tlbench's logger."""

from __future__ import annotations

import logging
import sys
from typing import Annotated, Any

import typer

from tlbench.contracts.errors import UsageError

LEVELS = ("debug", "info", "warning", "error")
_DEFAULT = logging.WARNING
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_log = logging.getLogger("tlbench")


class _StderrHandler(logging.StreamHandler[Any]):
    """Writes each log line to the current `sys.stderr`, which the live view replaces while it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _Lines(logging.Formatter):
    """A warning is a line like an error's; time, level and module are for those who ask for the log."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Returns the line of a record, without control characters."""
        from tlbench.results.render.escaping import printable

        record.message = printable(record.message)
        return super().formatMessage(record) if _stderr.level < logging.WARNING else f"tlbench: {record.message}"


_stderr = _StderrHandler()


def reset() -> None:
    """Sets the default level, and prints log lines to stderr from now on."""
    if _stderr not in _log.handlers:
        _stderr.setFormatter(_Lines(_FORMAT, "%H:%M:%S"))
        _log.addHandler(_stderr)
    _set_level(_DEFAULT)


def is_quiet() -> bool:
    """Returns whether only results and errors are to be printed: with `-q` or `--log-level error`."""
    return _stderr.level > logging.WARNING


def note(text: str) -> None:
    """Prints a note to stderr, unless `is_quiet()`."""
    if not is_quiet():
        print(text, file=sys.stderr)


def _set_level(level: int) -> None:
    # Set on the handler too: a run's log file lowers the logger's level, which must not add lines on stderr.
    _stderr.setLevel(level)
    _log.setLevel(level)


def options() -> list[Any]:
    """Returns new options that set the level; they can stand before and after the name of the command."""
    # By annotations, as for a command: the constructors of typer's options change between its versions.
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(_declared)
    command: Any = typer.main.get_command(app)
    return [one for one in command.params if "--help" not in one.opts]


def _complete(incomplete: str) -> list[str]:
    return [level for level in LEVELS if level.startswith(incomplete)]


def _verbose(ctx: typer.Context, value: int) -> None:
    if value:
        _set(ctx, "--verbose", logging.INFO if value == 1 else logging.DEBUG)


def _quiet(ctx: typer.Context, value: bool) -> None:
    if value:
        _set(ctx, "--quiet", logging.ERROR)


def _named(ctx: typer.Context, value: str | None) -> None:
    if value is None:
        return
    if value.lower() not in LEVELS:
        raise UsageError(f"--log-level {value}: give one of {', '.join(LEVELS)}")
    _set(ctx, "--log-level", getattr(logging, value.upper()))


def _set(ctx: Any, option: str, level: int) -> None:
    # `meta` is shared by the contexts of the program and its command.
    earlier = ctx.meta.setdefault("tlbench.verbosity", option)
    if earlier != option:
        raise UsageError(f"give {earlier} or {option}, not both: they set how much is printed")
    _set_level(level)


def _declared(
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose", "-v", count=True, callback=_verbose, expose_value=False, show_default=False,
            help="Log what is done; -vv logs details.",
        ),
    ] = 0,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", callback=_quiet, expose_value=False, show_default=False,
            help="Print results and errors only.",
        ),
    ] = False,
    log_level: Annotated[
        str | None,
        typer.Option(
            "--log-level", metavar="LEVEL", callback=_named, expose_value=False, autocompletion=_complete,
            help=f"Level of log lines on stderr: {', '.join(LEVELS)}.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Never called: its parameters are the options."""
