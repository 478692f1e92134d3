"""Curves as words of bars."""

import msgspec
import pytest

from tests.results.conftest import cell
from tlbench.cli.recorded.selection_facts import selection_facts
from tlbench.cli.recorded.sparklines import sparkline
from tlbench.contracts.record import FitResult, Point, Record


@pytest.mark.parametrize(
    ("values", "drawn"),
    [((0, 1, 2, 7), "▁▂▃█"), ((3.0, 1.0), "█▁"), ((0.5, 0.5, 0.5), "▅▅▅"), ((), "")],
)
def test_bars_are_as_high_as_values(values, drawn):
    assert sparkline(values) == drawn


def test_long_curves_are_thinned_and_keep_their_ends():
    drawn = sparkline([float(n) for n in range(1000)])
    assert (len(drawn), drawn[0], drawn[-1]) == (40, "▁", "█")
    assert list(drawn) == sorted(drawn)


def test_show_draws_the_curves_of_the_first_fit():
    history = (Point(2, None, 2.5), Point(4, 0.25), Point(4, None, 1.5), Point(8, 0.75), Point(8, None, 0.5))
    fit = FitResult({}, 3, "final", 0, "ok", history=history)
    facts = dict(selection_facts(Record(cell(), "ok", fits=(fit,)), {}))
    assert facts["training loss"] == f"{sparkline((2.5, 1.5, 0.5))} 2.5 at step 2 to 0.5 at step 8 (seed 3)"
    assert facts["validation by step"] == "▁█ 0.25 at step 4 to 0.75 at step 8 (seed 3)"
    without = msgspec.structs.replace(fit, history=history[:1])
    assert "training loss" not in dict(selection_facts(Record(cell(), "ok", fits=(without,)), {}))
