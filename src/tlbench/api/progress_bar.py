"""A progress bar for notebooks and terminals, which is redrawn while a run or search goes on."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tlbench.results.render.escaping import printable
from tlbench.system.background.periodic import called_every

if TYPE_CHECKING:
    from rich.console import RenderableType

REFRESH_SECONDS = 0.25
_NOTEBOOK_WIDTH = 100
_HTML = '<pre style="white-space:pre;overflow-x:auto;line-height:normal">{code}</pre>'


class Progressed(NamedTuple):
    """How far something is."""

    done: float
    total: float
    text: str
    """The text behind the bar."""


@contextmanager
def progress_bar(title: str, read: Callable[[], Progressed], is_wanted: bool) -> Iterator[None]:
    """Shows a bar while the block runs: in a notebook below its cell, in a terminal on stderr, else nowhere.

    Args:
        title: What stands before the bar.
        read: Returns how far the work is; called from another thread.
        is_wanted: Whether anything is shown.
    """
    if not is_wanted:
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)
    if not (console.is_jupyter or console.is_terminal):
        yield
        return
    name, state = (TextColumn(f"{{task.{what}}}", markup=False) for what in ("description", "fields[text]"))
    # What the user's own code prints meanwhile is left alone.
    bar = Progress(
        name,
        BarColumn(),
        state,
        console=console,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    task = bar.add_task(printable(title, 60), text="")
    redraw = _notebook_drawing(bar) if console.is_jupyter else bar.refresh

    def update() -> None:
        now = read()
        bar.update(task, completed=now.done, total=max(now.total, 1e-9), text=printable(now.text))
        redraw()

    if not console.is_jupyter:
        bar.start()
    try:
        with called_every(REFRESH_SECONDS, update, "tlbench-progress"):
            yield
    finally:
        update()
        if not console.is_jupyter:
            bar.stop()


def _notebook_drawing(renderable: RenderableType) -> Callable[[], None]:
    """Returns a function that draws a renderable below the running cell of a notebook, in place of what it drew before.

    rich itself would need ipywidgets for this.
    """
    # Not installed with tlbench: where rich has found a notebook, it is there.
    from IPython.display import HTML, display  # type: ignore[import-not-found]

    def drawn() -> object:
        from rich.console import Console

        console = Console(
            file=io.StringIO(), record=True, width=_NOTEBOOK_WIDTH, force_terminal=True, force_jupyter=False
        )
        console.print(renderable)
        return HTML(console.export_html(inline_styles=True, code_format=_HTML))

    handle = display(drawn(), display_id=True)
    return lambda: handle.update(drawn())
