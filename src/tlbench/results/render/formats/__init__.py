"""The formats that tlbench brings, by name."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from tlbench.contracts.renderer import Renderer
from tlbench.results.render.formats.csv import Csv
from tlbench.results.render.formats.json import Json
from tlbench.results.render.formats.markdown import Markdown
from tlbench.results.render.formats.svg import Svg

if TYPE_CHECKING:
    from tlbench.results.render.page import Page

WIDTH = 100


class Terminal(Renderer):
    """What a terminal shows, without its styles."""

    name: ClassVar[str] = "terminal"
    description: ClassVar[str] = "As many columns as fit, and the best rows of long rankings."
    is_short: ClassVar[bool] = True

    def render(self, page: Page) -> str:
        """Returns the page for 100 columns; the command line prints it for those that there are."""
        from rich.console import Console

        from tlbench.results.render.formats.terminal import Leaderboard

        text = io.StringIO()
        Console(file=text, width=WIDTH, color_system=None).print(Leaderboard(page))
        return text.getvalue()


FORMATS: Mapping[str, Renderer] = {
    renderer.name: renderer for renderer in (Terminal(), Markdown(), Csv(), Json(), Svg())
}
