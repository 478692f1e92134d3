"""The learning curves of each task as an SVG drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tlbench.contracts.errors import UsageError
from tlbench.contracts.renderer import Renderer

if TYPE_CHECKING:
    from tlbench.results.render.page import Page


class LabelEfficiency(Renderer):
    """An SVG image with a panel for each task: scores with 95% intervals against the number of training examples."""

    name: ClassVar[str] = "label-efficiency"
    description: ClassVar[str] = "A drawing of scores against the number of training examples."

    def render(self, page: Page) -> str:
        """Returns the SVG.

        Raises:
            UsageError: No task has scores at two numbers of training examples.
        """
        from tlbench.results.render.curves.curve_drawing import drawing

        if not page.label_efficiency:
            raise UsageError(
                f"--format {self.name}: no task has scores at two numbers of training examples; `tlbench run` with "
                "--train-fraction 0.01,0.1,1 or --shots 1,8,64 makes some"
            )
        return drawing(page.label_efficiency)
