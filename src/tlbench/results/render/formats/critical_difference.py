"""The means over tasks as a critical-difference diagram, drawn by scikit-posthocs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench.contracts.errors import UsageError
from tlbench.contracts.renderer import Renderer
from tlbench.results.render.charts.tested_means import MEAN_AXIS, tested_means
from tlbench.results.render.escaping import printable

if TYPE_CHECKING:
    from tlbench.results.over_tasks import Averages
    from tlbench.results.render.page import Page

_WIDTH, _HEIGHT_OF_ROW = 10.0, 0.28
"""Inches."""


class CriticalDifference(Renderer):
    """An SVG image of the rows with a rank over all tasks: bars join rows that the tests do not tell apart.

    Positions are means, and the tests are those of the table over all tasks, not Nemenyi's test on ranks (Demsar 2006),
    which needs many tasks and knows nothing of examples and seeds.
    """

    name: ClassVar[str] = "critical-difference"
    description: ClassVar[str] = "A diagram of the means over tasks; bars join what the tests do not tell apart."

    def render(self, page: Page) -> str:
        """Returns the SVG.

        Raises:
            UsageError: scikit-posthocs is not installed, or fewer than two rows have a rank over all tasks.
        """
        averages = _only_tested(page.averages, self.name)
        found = tested_means(averages)
        if found is None:
            raise UsageError(
                f"--format {self.name}: {len(averages.ranks.tested)} of {len(averages.rows)} rows have a rank over all "
                "tasks, and a diagram needs two: those with predictions of two seeds or more on every task have one"
            )
        # Matplotlib reads text between dollar signs as mathematics.
        labels = [label.replace("$", r"\$") for label in found.labels]
        return _drawn(labels, list(found.means), found.p_values)


def _only_tested(groups: Sequence[Averages], format_name: str) -> Averages:
    """Returns the group of tasks to draw: the only one with tests, or the only one."""
    tested = [group for group in groups if group.ranks.tests is not None]
    if len(tested) > 1:
        found = "; ".join(", ".join(map(printable, group.tasks)) for group in tested)
        raise UsageError(f"--format {format_name} draws tasks that share backbones; choose some with --task: {found}")
    return tested[0] if tested else groups[0]


def _drawn(labels: list[str], means: list[float], p_values: Any) -> str:
    try:
        import matplotlib
        import pandas as pd
        import scikit_posthocs
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            f"--format critical-difference needs scikit-posthocs: pip install 'tlbench[diagrams]' ({error})"
        ) from error
    # The diagram gets numbers in place of labels: cut labels may be equal, and sets of texts have no fixed order.
    numbers = list(range(len(labels)))
    # Ids are fixed and there is no date, so that equal tables give equal bytes. Text stays text, not outlines.
    with matplotlib.rc_context({"svg.hashsalt": "tlbench", "svg.fonttype": "none", "text.usetex": False}):
        figure = Figure(figsize=(_WIDTH, 1.2 + _HEIGHT_OF_ROW * len(labels)), layout="tight")
        axes = figure.subplots()
        drawn = scikit_posthocs.critical_difference_diagram(
            dict(zip(numbers, means, strict=True)),
            pd.DataFrame(p_values, index=numbers, columns=numbers),
            ax=axes,
            label_fmt_left="{label}",
            label_fmt_right="{label}",
            text_h_margin=0.02 * max(1.0, max(means) - min(means)),
            crossbar_props={"marker": "o", "markersize": 4},
        )
        for text in drawn["labels"]:
            number = int(text.get_text())
            parts = labels[number], f"({means[number]:.1f})"
            text.set_text(" ".join(parts if text.get_ha() == "right" else reversed(parts)))
        for (bar,) in drawn["crossbars"]:
            bar.set_xdata(sorted(bar.get_xdata()))
        axes.set_xlabel(MEAN_AXIS)
        axes.xaxis.set_label_position("top")
        content = io.StringIO()
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue()
