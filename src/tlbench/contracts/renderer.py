"""The renderer contract: a way to write a leaderboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tlbench.results.render.page import Page


class Renderer:
    r"""A way to write a leaderboard, such as HTML or LaTeX: subclass it and bring it by the hook `tlbench_renderers`.

    A page has everything as values and as short texts; a renderer only draws it. Every text of a page is one line of
    visible characters, but may hold what its format takes for a command, such as a formula: a renderer escapes that,
    and `tlbench.testing.conformance.RendererConformance` checks it. What stands in `frame()` and in the values of a
    page is as it was recorded, and may hold anything.

        from tlbench.results.render.escaping import spreadsheet

        class Tsv(Renderer):
            name = "tsv"

            def render(self, page):
                lines = ["\t".join(["task", *(column.name for column in page.columns)])]
                for section in page.sections:
                    for line in section.lines:
                        texts = [spreadsheet(line.values[column.name].text) for column in page.columns]
                        lines.append("\t".join([spreadsheet(section.task), *texts]))
                return "\n".join(lines) + "\n"
    """

    name: ClassVar[str]
    """What `tlbench leaderboard --format` takes."""
    description: ClassVar[str] = ""
    is_short: ClassVar[bool] = False
    """Whether it is for reading at a glance: of long rankings its page has the best rows alone."""

    def render(self, page: Page) -> str:
        """Returns the page as text: the same for the same page."""
        raise NotImplementedError
