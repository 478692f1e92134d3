"""The critical-difference diagram."""

import sys
import xml.etree.ElementTree as ElementTree

import pytest

from tests.results.averages.test_mean_ranks import FLOOR, table_of
from tlbench.cli.leaderboard import show
from tlbench.contracts.errors import UsageError
from tlbench.results.render.formats import FORMATS
from tlbench.results.render.page import Page
from tlbench.testing.conformance.every_plugin import check_light, check_name

DIAGRAM = FORMATS["critical-difference"]
HOSTILE = "$\\frac{1}{0}$<script>"


@pytest.fixture(scope="module")
def table(made):
    return table_of(made, {("good", "b"): 0.9, (HOSTILE, "b"): 0.9, ("poor", "b"): 0.6, **FLOOR}, tasks=("one", "two"))


def test_it_is_a_light_plugin_with_a_valid_name():
    check_light(DIAGRAM)
    check_name(DIAGRAM.name)


def test_rows_stand_at_their_means_and_names_are_text(table):
    drawn = DIAGRAM.render(Page(table))
    texts = {node.text for node in ElementTree.fromstring(drawn).iter() if node.tag.endswith("text")}
    means = {row["strategy"]: f"({100 * row['mean']:.1f})" for row in table.averages()[0].rows}
    assert {f"majority {means['majority']}", f"b poor {means['poor']}", f"{means['good']} b good"} <= texts
    assert any(HOSTILE in text for text in texts)
    assert drawn == DIAGRAM.render(Page(table))


def test_rows_that_are_hidden_are_not_drawn(table):
    kept = [i for i, name in enumerate(table.columns(["strategy"])["strategy"]) if name != "poor"]
    drawn = DIAGRAM.render(Page(table.pick(kept)))
    assert "good" in drawn
    assert "poor" not in drawn


def test_fewer_than_two_ranked_rows_are_refused_in_one_line(made):
    table = table_of(made, {("good", "b"): 0.9, ("poor", "b"): 0.6}, seeds=(0,))
    with pytest.raises(UsageError, match=r"^--format critical-difference: 0 of 2 rows have a rank over all tasks"):
        show(table, "title", "", "critical-difference")


def test_without_the_library_the_message_names_the_extra(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "scikit_posthocs", None)
    with pytest.raises(UsageError, match=r"^--format critical-difference needs scikit-posthocs: pip install"):
        show(table, "title", "", "critical-difference")
