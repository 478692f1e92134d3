"""Scores against costs: the Pareto front, and what the drawing says."""

import xml.etree.ElementTree as ElementTree

from tlbench.results.render.charts.scatter_chart import CostPoint, CostScatter


def scatter(points, greater_is_better=True):
    made = [CostPoint(name, cost, score, f"{name}.html", f"{name}: {score}", False) for name, cost, score in points]
    return CostScatter("seconds", str, "accuracy", str, greater_is_better, tuple(made))


POINTS = (("cheap", 1, 0.5), ("dear", 100, 0.9), ("beaten", 10, 0.4), ("middle", 10, 0.7), ("equal", 50, 0.7))


def test_the_front_has_the_points_that_none_beats():
    assert [point.name for point in scatter(POINTS).front()] == ["cheap", "middle", "dear"]
    assert [point.name for point in scatter(POINTS, greater_is_better=False).front()] == ["cheap", "beaten"]


def test_each_point_is_a_named_link_and_a_cost_of_nothing_stands_at_the_left_end():
    drawn = scatter((*POINTS, ("free", 0, 0.1), ('<b>&"', 5, 0.2))).svg()
    root = ElementTree.fromstring(drawn)
    links = {link.get("aria-label"): link for link in root.iter("a")}
    assert set(links) == {*(f"{name}: {score}" for name, _, score in POINTS), "free: 0.1", '<b>&": 0.2'}
    left = {name: float(next(link.iter("circle")).get("cx")) for name, link in links.items()}
    assert left["free: 0.1"] < left["cheap: 0.5"] < left["middle: 0.7"] < left["dear: 0.9"]
    assert [name for name, link in links.items() if "best" in link.get("class")] == [
        "cheap: 0.5", "dear: 0.9", "middle: 0.7", "free: 0.1"
    ]  # fmt: skip


def test_equal_costs_show_nothing():
    assert scatter(POINTS).differs
    assert not scatter((("a", 1, 0.5), ("b", 1, 0.6))).differs
