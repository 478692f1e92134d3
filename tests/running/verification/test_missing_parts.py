"""A record that lacks what tlbench always writes, or that is none, is named."""

import json

import msgspec

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.fits.class_scores import ClassReport
from tlbench.contracts.record import Record, TestScore
from tlbench.metrics import METRICS
from tlbench.running.scoring.scores import SplitScores
from tlbench.running.verification.missing_parts import _ADDED_LATER, _OF_THIRD_FORM
from tlbench.running.verification.stored_answers import _score_faults


def test_a_record_without_its_own_digest_is_rejected(sent):
    record = json.loads(sent.record.read_bytes())
    del record["digest"]
    sent.record.write_text(json.dumps(record))
    sent.listed_anew()
    assert sent.faults() == ["it lacks the digest with which the file of a record begins"]


def test_a_record_of_an_earlier_form_lacks_what_that_form_did(sent):
    def earlier(record):
        for name in (*_OF_THIRD_FORM, *_ADDED_LATER):
            del record[name]

    record = json.loads(sent.record.read_bytes())
    del record["digest"]
    earlier(record)
    sent.record.write_text(json.dumps(record))
    sent.listed_anew()
    assert sent.verified().tier == "recomputed"
    del record["floor"]
    sent.record.write_text(json.dumps(record))
    sent.listed_anew()
    assert sent.faults() == ["it lacks floor, which records of its form have"]


def test_what_is_no_record_is_named(sent):
    sent.record.write_text('{"a": 9}')
    sent.listed_anew()
    assert any("is not a record of tlbench: it has neither a cell nor a status" in fault for fault in sent.faults())


def test_a_point_of_an_earlier_version_is_accepted_at_a_bound_alone():
    score = TestScore("accuracy", 0, 1.0, 1.0, 1.0, 40)
    again = msgspec.structs.replace(score, low=0.93)
    found = SplitScores((again,), ClassReport(), "", None)
    metrics = {"accuracy": METRICS["accuracy"]}
    record = Record(Cell(Ref("t"), Ref("s"), Protocol()), "ok", scores=(score,))
    assert not list(_score_faults(record, found, metrics))
    between = [msgspec.structs.replace(one, value=0.5, high=0.5) for one in (score, again)]
    record = msgspec.structs.replace(record, scores=(msgspec.structs.replace(between[0], low=0.5),))
    found = found._replace(scores=(msgspec.structs.replace(between[1], low=0.4, high=0.6),))
    assert list(_score_faults(record, found, metrics))
