"""Whole searches among the toys: what they answer, what they store, and how they go on after a kill."""

import msgspec
import pytest

from tests.finding.conftest import Recorder
from tlbench.contracts.errors import UsageError
from tlbench.finding.answering.answer import Answer
from tlbench.results.records.store import Store


def test_a_search_answers_with_a_winner_that_was_tested_once(finds):
    told = Recorder()
    answer = finds(told)
    titles = [title for title, _ in told.fits]
    assert titles == ["majority", "tfidf", "toy | toy-fit", "toy | toy-tune"]
    assert answer.winner.test is not None
    assert answer.winner.seeds == 3
    record = Store.open(finds.out).record(answer.winner.cell)
    assert record.best_params == answer.winner.params
    assert record.validation == answer.winner.validation, "the final fit of the first seed is the search's"
    assert record.test_reads == 4, "three final fits, and one order that scores them"
    assert {one.candidate for one in answer.spent} == set(titles)
    assert answer.untried == ()
    assert answer.baseline.strategy in ("majority", "tfidf")
