"""Renders a leaderboard to text or to a folder, and explains in one line what a renderer did wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.cli.board.board_files import renderer_of
from tlbench.cli.board.report_files import write_files
from tlbench.contracts.errors import UsageError
from tlbench.contracts.renderer import FolderRenderer, RecordReader, Renderer
from tlbench.results.leaderboard import Table
from tlbench.results.render.view import View

if TYPE_CHECKING:
    from tlbench.results.render.page import Page


def rendered(table: Table, title: str, command: str, format_: str, view: View) -> str:
    """Returns a rendered leaderboard as text that UTF-8 can encode.

    Raises:
        UsageError: The format is unknown, or its renderer fails, refuses the table or returns no text.
    """
    renderer, fault = _renderer(format_)
    with _blamed(fault):
        text = renderer.render(_page(renderer, table, title, command, view))
    if not isinstance(text, str):
        raise UsageError(f"{fault}, made {type(text).__name__} and not text: its `render` must return a str")
    check_encodable(text, "utf-8", f"{fault}, made text with", "its `render` must leave such characters out")
    return text


def write_folder(
    folder: Path, records: RecordReader, table: Table, title: str, command: str, format_: str, view: View
) -> int:
    """Writes a leaderboard as a folder of files and returns their number.

    Raises:
        UsageError: The format is unknown or makes no folder, its renderer fails, or the folder has other files.
    """
    renderer, fault = _renderer(format_)
    if not isinstance(renderer, FolderRenderer):
        raise UsageError(f"--to {folder}: --format {format_} makes one text, not a folder: use --out FILE")
    with _blamed(fault):
        page = _page(renderer, table, title, command, view)
        return write_files(folder, renderer.files(page, records))


def check_encodable(text: str, encoding: str, what: str, advice: str) -> None:
    """Checks that an encoding can write a text.

    Raises:
        UsageError: It cannot.
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        character = f"U+{ord(text[error.start]):04X}"
        raise UsageError(f"{what} the character {character}, which {encoding} cannot write: {advice}") from error


def _renderer(format_: str) -> tuple[Renderer, str]:
    renderer, distribution = renderer_of(format_)
    return renderer, f"--format {format_}, brought by {distribution}"


def _page(renderer: Renderer, table: Table, title: str, command: str, view: View) -> Page:
    from tlbench.results.render.page import Page
    from tlbench.results.render.view import Limits

    return Page(table, title, command, limits=Limits() if renderer.is_short else None, view=view)


@contextmanager
def _blamed(fault: str) -> Iterator[None]:
    """Turns an error of a renderer into one line; `is_short` may be a property of a plugin, so it counts too."""
    try:
        yield
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{fault}, failed: {type(error).__name__}: {error}") from error
