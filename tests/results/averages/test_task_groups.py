"""Means over tasks are taken over tasks that share backbones."""

import pytest

from tests.results.averages.test_mean_ranks import FLOOR
from tests.results.ranked_table import ranked_table
from tlbench.contracts.errors import UsageError
from tlbench.results.averages.task_groups import task_groups
from tlbench.results.render.formats import FORMATS
from tlbench.results.render.page import Page


@pytest.mark.parametrize(
    ("rows", "groups"),
    [
        ([("a", "x"), ("b", "x"), ("a", ""), ("b", "")], [("a", "b")]),
        ([("a", "x"), ("b", "y"), ("c", "x"), ("a", ""), ("b", ""), ("c", "")], [("a", "c"), ("b",)]),
        ([("a", "x"), ("b", "y"), ("c", "x"), ("c", "y")], [("a", "b", "c")]),
        ([("a", "x"), ("b", "y"), ("c", "z"), ("d", "w"), ("c", "y"), ("b", "x")], [("a", "b", "c"), ("d",)]),
        ([("a", ""), ("b", "")], [("a", "b")]),
        ([("a", ""), ("b", "x"), ("c", "")], [("a", "c"), ("b",)]),
        ([], []),
    ],
)
def test_tasks_are_joined_through_backbones_alone(rows, groups):
    assert task_groups([task for task, _ in rows], [backbone for _, backbone in rows]) == groups


@pytest.fixture(scope="module")
def mixed(made):
    """Two tasks of texts and two of images; only the floor is on all four."""
    shares = {
        **{task: {("good", "text-net"): 0.9, ("poor", "text-net"): 0.6, **FLOOR} for task in ("sst2", "trec")},
        **{task: {("good", "image-net"): 0.8, ("poor", "image-net"): 0.6, **FLOOR} for task in ("ants", "cifar")},
    }
    return ranked_table(
        made,
        [
            (made.cell(task, name, backbone), made.answers(task, share, (0, 1, 2), draw=i))
            for task, of_task in shares.items()
            for i, ((name, backbone), share) in enumerate(of_task.items())
        ],
    )


def test_each_group_has_a_table_with_ranks_of_its_own(mixed):
    images, texts = Page(mixed).summaries
    assert (images.heading, texts.heading) == ("Over the 2 tasks of image-net", "Over the 2 tasks of text-net")
    for summary, backbone in ((images, "image-net"), (texts, "text-net")):
        names = [(line.values["backbone"].value, line.values["strategy"].value) for line in summary.lines]
        assert names == [(backbone, "good"), (backbone, "poor"), (None, "majority")]
        assert [line.values["rank"].text for line in summary.lines] == ["1", "2", "3"]
        assert {line.values["tasks"].text for line in summary.lines} == {"2/2"}


def test_formats_show_a_table_for_each_group(mixed):
    page = Page(mixed)
    assert FORMATS["markdown"].render(page).count("\n## Over the 2 tasks of ") == 2
    with pytest.raises(UsageError, match=r"choose some with --task: ants, cifar; sst2, trec$"):
        FORMATS["critical-difference"].render(page)
