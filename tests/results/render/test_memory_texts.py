"""The column of memory: the cell's own, or an upper bound of it."""

from tlbench.results.render.memory_texts import memory, memory_bytes, memory_legend

OWN = {"host_own_bytes": 300_000_000, "host_peak_bytes": 812_000_000}
WHOLE = {"host_own_bytes": None, "host_peak_bytes": 812_000_000}
NONE = {"host_own_bytes": None, "host_peak_bytes": None}


def test_a_worker_s_peak_is_shown_as_an_upper_bound():
    assert [memory(row) for row in (OWN, WHOLE, NONE)] == ["300 MB", "≤812 MB", "-"]
    assert [memory_bytes(row) for row in (OWN, WHOLE, NONE)] == [300_000_000, 812_000_000, None]


def test_the_legend_explains_the_bound_only_where_it_occurs():
    own, both, whole = memory_legend([OWN, NONE]), memory_legend([OWN, WHOLE]), memory_legend([WHOLE])
    assert "≤" not in own
    assert own in both
    assert "≤ is the peak of the whole worker process" in both
    assert whole.startswith("memory with ≤ is")
    assert "gradients" not in whole
