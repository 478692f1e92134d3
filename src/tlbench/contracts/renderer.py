"""The renderer contract: a renderer writes a leaderboard in one format."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

# For the type checker alone: contracts are the lowest layer and import no results.
if TYPE_CHECKING:
    from tlbench.results.render.page import Page


class Renderer:
    r"""A format of the leaderboard, such as HTML or LaTeX: subclass it and return it from `tlbench_renderers`.

    A `Page` has every number both as a value and as a short text, so a renderer computes nothing. Every text of a page
    is guaranteed to be one line of printable characters. The renderer must escape all text that its format would treat
    as markup or as a command, such as a formula of a spreadsheet; `tlbench.testing.conformance.RendererConformance`
    checks this. The values of a page and the table from `frame()` are as recorded, and may contain any characters.

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
    """The name for `tlbench leaderboard --format`, in kebab-case."""
    description: ClassVar[str] = ""
    """One line for `tlbench list renderers`."""
    is_short: ClassVar[bool] = False
    """Whether the format shows a short leaderboard: its page then has only the best rows of a long ranking."""

    def render(self, page: Page) -> str:
        """Returns the page as text; equal pages must give equal text, so that a committed table does not change."""
        raise NotImplementedError
