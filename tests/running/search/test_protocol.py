"""The lag is of the search's identity, and can be set like the rest of a protocol."""

import msgspec
import pytest

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.planning.suite import Patch


def cell(**protocol):
    return Cell(Ref("sst2-lite"), Ref("linear-probe"), Protocol(**protocol), Ref("minilm-l6"))


def test_the_lag_is_part_of_the_search_identity_and_not_of_the_fits():
    searched = cell(trials=16)
    assert cell(trials=16, lag=8).id == searched.id
    assert cell(trials=16, lag=32).search_id != searched.search_id
    assert cell(trials=16, lag=32).fits_id == searched.fits_id
    assert cell(lag=32).id == cell().id, "nothing is searched"
    assert Protocol(trials=4, lag=32).of_fit(0) == Protocol().of_fit(0)


def test_a_suite_sets_the_lag():
    assert msgspec.convert({"lag": 32}, Patch).apply(Protocol())[0].lag == 32
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"lag": 0}, Patch)
