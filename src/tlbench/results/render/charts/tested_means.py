"""The means over tasks of the rows with a rank, and which of them the tests tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlbench.results.render import value_texts as cells
from tlbench.results.render.escaping import printable

if TYPE_CHECKING:
    from tlbench.metrics.scored import Floats
    from tlbench.results.over_tasks import Averages

MEAN_AXIS = "mean over tasks, from the floor (0) to the best value (100)"
_NAME_LENGTH = 60


@dataclass(frozen=True)
class TestedMeans:
    """The K rows that were tested over all tasks and are shown."""

    __test__ = False  # pytest collects classes whose names begin with "Test"

    labels: tuple[str, ...]
    means: tuple[float, ...]
    """From 0 at the floor to 100."""
    p_values: Floats
    """(K, K), corrected for the number of pairs."""

    def groups(self, alpha: float = 0.05) -> list[list[int]]:
        """Returns the largest sets of two rows or more of which no two are told apart, the best mean first."""
        import networkx

        graph = networkx.Graph()
        graph.add_nodes_from(range(len(self.means)))
        graph.add_edges_from(
            (i, j) for i in range(len(self.means)) for j in range(i) if float(self.p_values[i, j]) > alpha
        )
        order = sorted(range(len(self.means)), key=lambda row: (-self.means[row], row)).index
        found = [sorted(group, key=order) for group in networkx.find_cliques(graph) if len(group) > 1]
        return sorted(found, key=lambda group: [order(row) for row in group])


def tested_means(averages: Averages) -> TestedMeans | None:
    """Returns the tested rows that are shown; None if fewer than two rows were tested."""
    tests, tested = averages.ranks.tests, averages.ranks.tested
    if tests is None:
        return None
    rows = {(row["backbone"], row["strategy"], row["variant"]): row for row in averages.rows}
    # Rows that options hide are tested too, but not drawn.
    shown = [i for i, key in enumerate(tested) if key in rows]
    means = tuple(100 * float(rows[tested[i]]["mean"]) for i in shown)
    labels = tuple(_label(rows[tested[i]]) for i in shown)
    return TestedMeans(labels, means, tests.p_values()[shown][:, shown])


def _label(row: dict[str, Any]) -> str:
    return printable(" ".join(filter(None, (row["backbone"], cells.strategy(row)))), _NAME_LENGTH)
