"""The critical-difference diagram of the report."""

import xml.etree.ElementTree as ElementTree

import numpy as np

from tlbench.results.render.charts.difference_chart import difference_chart
from tlbench.results.render.charts.tested_means import TestedMeans


def means(pairs, values=(80.0, 60.0, 40.0, 20.0), name="row"):
    """Returns means of which only these pairs are not told apart."""
    p = np.full((len(values), len(values)), 0.001)
    for one, other in pairs:
        p[one, other] = p[other, one] = 0.5
    return TestedMeans(tuple(f"{name} {i}" for i in range(len(values))), values, p)


def test_groups_are_the_largest_sets_that_nothing_tells_apart():
    assert means([(0, 1), (1, 2), (0, 2), (2, 3)]).groups() == [[0, 1, 2], [2, 3]]
    # 0 and 2 are not told apart, but 1 between them is told apart from both.
    assert means([(0, 2)]).groups() == [[0, 2]]
    assert means([]).groups() == []


def test_names_have_room_left_of_the_means():
    for name in ("row", "minilm-l6[max_length=64] self-training[stages=0]", "\u6a21" * 29):
        root = ElementTree.fromstring(difference_chart(means([], name=name)))
        ends = [float(one.get("x")) for one in root.iter("text") if one.get("class") == "row"]
        # Half of an em a character, or one for wide ones, at 12 pixels.
        assert min(ends) >= 6 * len(name) * (1 + (name[0] > "\u1000"))
        assert max(ends) < min(float(one.get("cx")) for one in root.iter("circle"))


def test_rows_stand_at_their_means_and_groups_have_a_dot_for_each_member():
    root = ElementTree.fromstring(difference_chart(means([(0, 2)])))
    at = [(float(one.get("cx")), float(one.get("cy"))) for one in root.iter("circle") if one.get("class") == "mean"]
    assert at == sorted(at, key=lambda point: (-point[0], point[1]))
    dots = [float(one.get("cy")) for one in root.iter("circle") if one.get("class") == "member"]
    assert dots == [at[0][1], at[2][1]]
