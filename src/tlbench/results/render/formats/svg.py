"""The terminal's leaderboard as an SVG image of a few kilobytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, ClassVar

from tlbench.contracts.renderer import Renderer

if TYPE_CHECKING:
    from tlbench.results.render.page import Page

WIDTH = 118

# Replaces rich's own template, which loads a font from the network.
_FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
    <style>
    .{unique_id}-matrix {{
        font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
        font-variant-east-asian: full-width;
    }}
    .{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: arial, sans-serif; }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""


class Svg(Renderer):
    """An image of a terminal window that shows the leaderboard, with the command as its title."""

    name: ClassVar[str] = "svg"
    description: ClassVar[str] = "A picture of what a terminal shows."
    is_short: ClassVar[bool] = True

    def render(self, page: Page) -> str:
        """Returns the SVG."""
        from rich.console import Console

        from tlbench.results.render.formats.terminal import Leaderboard

        console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
        console.print(Leaderboard(page))
        # A fixed id, since rich's default is a hash of the content, which would change the whole file with every score.
        return console.export_svg(title=page.command, code_format=_FORMAT, unique_id="tlbench")
