"""Scores against costs drawn as characters."""

from tlbench.results.render.charts.scatter_chart import CostPoint, CostScatter
from tlbench.results.render.charts.text_scatter import text_scatter


def drawn(points, greater_is_better=True, **size):
    made = [CostPoint(name, cost, score, "", f"{name}: {score}", base) for name, cost, score, base in points]
    return text_scatter(
        CostScatter("seconds", "{:g}".format, "accuracy", "{:g}".format, greater_is_better, tuple(made)), **size
    )


POINTS = (("none", 0, 0.2, True), ("cheap", 1, 0.5, False), ("beaten", 10, 0.3, False), ("dear", 100, 1.0, False))


def test_the_front_is_lettered_and_its_key_names_it():
    assert drawn(POINTS, width=40, height=9) == [
        "  1 |                                  C",
        "    |",
        "0.8 |",
        "    |",
        "0.6 |",
        "    |           B......................",
        "0.4 |",
        "    |                       o",
        "0.2 |        A..",
        "    ++----------+-----------+----------+",
        "     0.1        1          10        100",
        "  A  none: 0.2",
        "  B  cheap: 0.5",
        "  C  dear: 1.0",
    ]


def test_a_baseline_off_the_front_is_a_cross():
    lines = drawn((*POINTS, ("floor", 50, 0.2, True)), width=60)
    assert sum(line.count("x") for line in lines) == 1


def test_where_less_is_better_the_front_is_at_the_bottom():
    lines = drawn(POINTS, greater_is_better=False)
    assert lines[-1] == "  A  none: 0.2"
    assert not any(line.startswith("  B") for line in lines)


def test_the_front_covers_other_points_and_no_line_is_wider():
    same = [
        ("best", 1.0, 0.9, False),
        *((f"o{n}", 1.0, 0.9 - n * 1e-9, False) for n in range(1, 40)),
        ("far", 1e6, 1.0, False),
    ]
    lines = drawn(same, width=50, height=6)
    assert sum(line.count("o") for line in lines if "|" in line) == 0
    assert max(map(len, lines)) <= 50


def test_more_points_than_letters_begin_anew():
    lines = drawn([(f"p{n}", 2.0**n, n / 30, False) for n in range(30)])
    assert [line[:7] for line in lines[-5:-3]] == ["  Z  p25"[:7], "  A  p26"[:7]]


def test_names_cannot_act_on_a_terminal():
    lines = drawn([("\x1b[31mred\x1b]8;;http://x\x07", 1, 0.1, False), ("b", 2, 0.2, False)])
    assert "\x1b" not in "".join(lines)
    assert "\x07" not in "".join(lines)
