"""Pairs of cells of two folders, and what stands in the way of a test."""

import msgspec

from tests.results.conftest import answers, cell, record
from tlbench.results.comparison.cell_pairs import cell_pairs, compared_cells
from tlbench.results.records.summaries import summaries_of


def summaries(*cells):
    return summaries_of(record(of, answers(n=20)) for of in cells).cells


def test_cells_pair_by_id_and_then_by_names_that_occur_once():
    probe, tuned, other = cell(), cell(strategy="full-finetune"), cell(strategy="lp-ft")
    changed, twice = cell(strategy="full-finetune", max_steps=9), cell(strategy="lp-ft", max_steps=9)
    first, second = (
        summaries(probe, tuned, other),
        summaries(probe, changed, twice, cell(strategy="lp-ft", max_steps=8)),
    )
    found = cell_pairs(first, second)
    assert {(one.cell, two.cell) for one, two in found.pairs} == {(probe.id, probe.id), (tuned.id, changed.id)}
    # Of two cells with the same names, neither is the one that the other folder has.
    assert [one.cell for one in found.only_first] == [other.id]
    assert len(found.only_second) == 2


def test_a_metric_that_is_not_installed_leaves_the_cells_untested():
    one = msgspec.structs.replace(summaries(cell())[0], metric="turns")
    found = compared_cells(one, one, {}, (lambda *_: None, lambda *_: None), {"": 0.01})
    assert (found.verdict, found.metric.name) == ("not tested", "turns")
    assert found.notes == ("the metric turns is not installed",)
