"""The identity of a request, and conditions that end a search."""

import msgspec
import pytest

from tlbench.contracts.errors import UsageError
from tlbench.finding.request import FindRequest, parse_milliseconds, read_condition
from tlbench.metrics import METRICS


def test_equal_requests_have_one_folder_and_others_another():
    one = FindRequest("trec", 10.0)
    assert one.id == FindRequest("trec", 10.0).id
    others = [msgspec.structs.replace(one, **change) for change in ({"minutes": 11.0}, {"seed": 1}, {"policy": "b"})]
    assert len({one.id, *(other.id for other in others)}) == 4


@pytest.mark.parametrize(
    ("text", "score", "holds"),
    [("accuracy>0.9", 0.9, False), ("accuracy >= 0.9", 0.9, True), ("accuracy<0.5", 0.4, True),
     ("accuracy<=.5", 0.51, False)],
)  # fmt: skip
def test_a_condition_holds_or_not(text, score, holds):
    assert read_condition(text, METRICS["accuracy"]).holds(score) is holds
    assert read_condition("", METRICS["accuracy"]) is None


def test_times_have_units():
    assert [parse_milliseconds(text, "--x") for text in ("20ms", "0.5s", "7")] == [20.0, 500.0, 7.0]
    for text in ("0ms", "fast", "-1ms", ""):
        with pytest.raises(UsageError, match="not a time"):
            parse_milliseconds(text, "--x")
