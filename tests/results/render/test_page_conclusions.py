"""What a page concludes from the ranks of a task: whether pretrained weights help, and which first row is cheapest."""

import json

import msgspec
import pytest

from tlbench.results.leaderboard import frame
from tlbench.results.render.formats import FORMATS
from tlbench.results.render.page import Page
from tlbench.results.render.view import Limits

UNDECIDED = "These data do not decide whether pretrained weights help"


@pytest.fixture
def rendered(made):
    """Renders a table of strategies, each with its accuracy and its seconds."""

    def render(rows, name="markdown", seeds=(0, 1, 2), limits=None):
        records, kept = [], {}
        for strategy, accuracy, seconds in rows:
            backbone = None if strategy == "tfidf" else "minilm-l6"
            cell = made.cell("sst2-lite", strategy, backbone, seeds=seeds)
            kept[cell.id] = made.answers(accuracy=accuracy, seeds=seeds, draw=len(strategy))
            made_record = made.record(cell, kept[cell.id])
            spent = msgspec.structs.replace(made_record.seconds, total=seconds)
            records.append(msgspec.structs.replace(made_record, seconds=spent))
        page = Page(frame(records, predictions=lambda record: kept[record.cell.id]), limits=limits)
        return FORMATS[name].render(page)

    return render


def test_a_baseline_that_nothing_beats_leaves_the_question_open(rendered):
    text = rendered([("linear-probe", 0.8, 1.0), ("tfidf", 0.79, 1.0)])
    assert f"{UNDECIDED}: no row is significantly better than tfidf, which has none." in text


def test_random_weights_are_no_pretrained_weights(rendered):
    text = rendered([("linear-probe", 0.8, 1.0), ("from-scratch", 0.79, 1.0)])
    assert f"{UNDECIDED}: no row is significantly better than from-scratch on minilm-l6" in text


@pytest.mark.parametrize(
    "rows",
    [
        [("linear-probe", 0.9, 1.0), ("tfidf", 0.6, 1.0)],
        # Nothing with pretrained weights is there to be compared.
        [("from-scratch", 0.6, 1.0), ("tfidf", 0.6, 1.0)],
    ],
)
def test_a_decided_task_and_one_without_pretrained_rows_say_nothing(rendered, rows):
    assert UNDECIDED not in rendered(rows)


def test_the_cheapest_row_that_is_not_told_apart_is_named(rendered):
    rows = [("full-finetune", 0.81, 50.0), ("linear-probe", 0.8, 2.0), ("prototypes", 0.5, 1.0)]
    text = rendered(rows)
    assert (
        "Of the 2 rows that no test tells apart from the best, not even a test of the two alone, the cheapest is"
        in text
    )
    assert "linear-probe on minilm-l6: 2.0s of work in all, against 50s" in text
    assert "full-finetune on minilm-l6, the best." in text
    assert "cheapest" not in rendered([("full-finetune", 0.81, 1.0), ("linear-probe", 0.8, 20.0)])


def test_rows_that_a_short_table_hides_are_compared_too(rendered):
    rows = [(f"s{'x' * i}", 0.8, 30.0) for i in range(6)] + [("linear-probe", 0.79, 1.0)]
    text = " ".join(rendered(rows, "terminal", limits=Limits(rows=2, rows_of_a_task=2)).split())
    assert "the cheapest is linear-probe on minilm-l6" in text


def test_json_has_the_sentences_and_one_seed_has_none(rendered):
    rows = [("linear-probe", 0.8, 1.0), ("tfidf", 0.79, 0.5)]
    (task,) = json.loads(rendered(rows, "json"))["tasks"]
    assert len(task["conclusions"]) == 2
    (task,) = json.loads(rendered(rows, "json", seeds=(0,)))["tasks"]
    assert task["conclusions"] == []
