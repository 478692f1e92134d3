"""The built-in formats of leaderboards, by name."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from tlbench.contracts.renderer import Renderer
from tlbench.results.render.formats.cost_score import CostScore
from tlbench.results.render.formats.critical_difference import CriticalDifference
from tlbench.results.render.formats.csv import Csv
from tlbench.results.render.formats.json import Json
from tlbench.results.render.formats.label_efficiency import LabelEfficiency
from tlbench.results.render.formats.latex import Latex
from tlbench.results.render.formats.markdown import Markdown
from tlbench.results.render.formats.svg import Svg
from tlbench.results.render.report.html import Html

if TYPE_CHECKING:
    from tlbench.results.render.page import Page

WIDTH = 100
"""Width, in characters, of the terminal format when it is rendered to text instead of to a terminal."""


class Terminal(Renderer):
    """The terminal's leaderboard as text without styles."""

    name: ClassVar[str] = "terminal"
    description: ClassVar[str] = "As many columns as fit, and the best rows of long rankings."
    is_short: ClassVar[bool] = True

    def render(self, page: Page) -> str:
        """Returns the page for a width of 100; the command line prints it for the width of the terminal."""
        from rich.console import Console

        from tlbench.results.render.formats.terminal import Leaderboard

        # The command line prints `Leaderboard` directly, to keep styles and the terminal's width.
        text = io.StringIO()
        Console(file=text, width=WIDTH, color_system=None).print(Leaderboard(page))
        return text.getvalue()


_BUILT_IN = (
    Terminal(), Markdown(), Csv(), Json(), Latex(), Svg(), CostScore(), CriticalDifference(), LabelEfficiency(), Html()
)  # fmt: skip
FORMATS: Mapping[str, Renderer] = {renderer.name: renderer for renderer in _BUILT_IN}
