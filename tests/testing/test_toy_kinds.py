from __future__ import annotations

import numpy as np
import pytest

from tlbench.contracts.cell import Protocol
from tlbench.contracts.outputs import Answer
from tlbench.contracts.task import Example, Examples
from tlbench.testing.conformance.task import target_error
from tlbench.testing.jobs import Rehearsal, make_job
from tlbench.testing.toy_encoder import LONGEST
from tlbench.testing.toy_kinds import ToyLabelsTask, ToySpanTask, ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyMajority, ToyTune
from tlbench.training import Model, groups_of, train

PROTOCOL = Protocol(precision="fp32")
KINDS = [ToyLabelsTask(train=128), ToyWordsTask(train=128), ToySpanTask(train=256)]


@pytest.mark.parametrize("task", KINDS, ids=lambda task: task.name)
def test_tuning_learns_every_kind(task):
    fitted = Rehearsal(ToyTune(), ToyBackbone(), task, PROTOCOL).fit({"lr": 0.02, "steps": 40})
    assert fitted.result.status == "ok", fitted.result.reason
    assert fitted.result.validation > 0.7


@pytest.mark.parametrize("task", KINDS, ids=lambda task: task.name)
def test_a_head_on_kept_hidden_states_is_the_head_on_the_encoder(task):
    job = make_job(ToyFit(), ToyBackbone(), task, protocol=Protocol(precision="fp32", max_steps=8))
    model = Model(job.encoder, job.head, start=len(job.encoder.stages))
    kept = train(model, job.train, job, groups_of(model, 0.2))
    assert kept.activations is not None
    answers = kept.predict(job.validation)
    kept.activations = None
    again = kept.predict(job.validation)
    assert answers.ids == again.ids
    assert np.array_equal(answers.values, again.values)
    assert len(set(map(str, answers.values))) > 1


def test_questions_without_an_answer_get_none():
    task = ToySpanTask(train=256, unanswerable=True)
    fitted = Rehearsal(ToyTune(), ToyBackbone(), task, PROTOCOL).fit({"lr": 0.02, "steps": 60})
    validation = task.split("validation")
    answers = fitted.predictor.predict(ToyBackbone().featurize(validation, task.output)).values
    missing = [not example.target for example in validation]
    assert any(missing)
    assert np.mean([(not answer) == none for answer, none in zip(answers, missing, strict=True)]) > 0.7


def test_words_beyond_the_longest_row_are_left_to_the_head():
    task = ToyWordsTask()
    examples = Examples([Example("long", (("word",) * 100,), (0,) * 100)])
    data = ToyBackbone().featurize(examples, task.output)
    assert data.alignment[0].tolist() == list(range(LONGEST))


def test_the_trivial_strategy_says_what_it_cannot_answer():
    assert ToyMajority().supports(None, ToySpanTask()) is not None
    assert "toy-names" in ToyMajority().supports(None, ToyWordsTask())


def test_conformance_notices_targets_that_are_not_in_their_inputs():
    words, span = ToyWordsTask().output, ToySpanTask().output
    assert target_error(words, Example("a", (("one", "two"),), (0, 1))) is None
    assert "2 words and 1 classes" in target_error(words, Example("a", (("one", "two"),), (0,)))
    assert target_error(span, Example("a", ("what", "one two"), (Answer("two", 4),))) is None
    assert target_error(span, Example("a", ("what", "one two"), ())) is None
    assert "one t" not in (problem := target_error(span, Example("a", ("what", "one two"), (Answer("two", 3),))))
    assert "' tw'" in problem
    assert target_error(span, Example("a", ("what", "two"), ("two",))) is not None
    assert target_error(span, Example("a", ("what", "two"))) == "no target"
