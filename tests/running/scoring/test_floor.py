"""Final fits that cannot be told from a constant answer are on record."""

from types import SimpleNamespace

import numpy as np
import pytest

from tlbench.contracts.cell import Protocol
from tlbench.contracts.record import Floor, TestScore
from tlbench.contracts.task import Example
from tlbench.metrics import METRICS
from tlbench.metrics.scored import Scored, objects
from tlbench.results.notes.floor_notes import floor_note
from tlbench.running.scoring.floor import floor_of, gives_one_answer, reaches


@pytest.mark.parametrize(
    ("targets", "same", "other"),
    [
        ([0, 1, 1], [1, 1, 1], [1, 0, 1]),
        ([0.0, 1.0, 3.0], [2.0, 2.0, 2.0 + 1e-6], [2.0, 2.0, 2.1]),
        (np.array([[0, 1], [1, 1]]), np.array([[1, 0], [1, 0]]), np.array([[1, 0], [0, 0]])),
        (objects([("O", "B"), ("O",)]), objects([("O", "O"), ("O",)]), objects([("O", "B"), ("O",)])),
        (objects([("a",), ("b",)]), objects(["a", "a"]), objects(["a", "c"])),
    ],
    ids=["classes", "numbers", "labels", "tags", "texts"],
)
def test_one_answer_to_all_examples(targets, same, other):
    assert gives_one_answer(Scored(targets, same))
    assert not gives_one_answer(Scored(targets, other))


@pytest.mark.parametrize("targets", [[1, 1], [2.0, 2.0], objects([("O",), ("O", "O")]), objects([("a",), ("a",)])])
def test_one_answer_is_right_where_all_targets_are_equal(targets):
    values = objects([target[0] for target in targets]) if isinstance(targets[0], tuple) else targets
    tags = isinstance(targets[0], tuple) and targets[0] == ("O",)
    assert not gives_one_answer(Scored(targets, targets if tags else values))


def test_an_interval_reaches_the_floor_from_the_side_of_better_scores():
    def score(low, high):
        return TestScore("", 0, (low + high) / 2, low, high, 9)

    accuracy, log_loss = METRICS["accuracy"], METRICS["log_loss"]
    assert reaches(score(0.4, 0.6), 0.5, accuracy)
    assert reaches(score(0.2, 0.3), 0.5, accuracy)
    assert not reaches(score(0.51, 0.6), 0.5, accuracy)
    assert reaches(score(0.6, 0.8), 0.7, log_loss)
    assert not reaches(score(0.6, 0.69), 0.7, log_loss)


@pytest.mark.parametrize(("targets", "wanted"), [([0, 1, 1, 1], 0.75), ([1, 1, 1, 1], None)])
def test_test_examples_of_one_target_have_no_floor(runs, targets, wanted):
    """There the constant answer is perfect, and a fit that is perfect too has not learned nothing."""
    examples = [Example(f"{i}", ("",), target) for i, target in enumerate(targets)]
    splits = SimpleNamespace(subset=lambda seed, limit, final: [Example("", ("",), 1)])
    context = SimpleNamespace(
        info=runs.catalog.task("toy-tone").item, cell=SimpleNamespace(protocol=Protocol()), splits=splits,
        test=lambda: examples, metric=METRICS["accuracy"], strategy=runs.catalog.strategy("toy-guess"),
    )  # fmt: skip
    answers = {0: Scored(np.array(targets), np.array(targets))}
    found = floor_of(answers, [TestScore("accuracy", 0, 1.0, 1.0, 1.0, 4)], context, 0)
    assert found == Floor(wanted, (), (), pretrained=True)


def test_a_record_compares_its_fits_with_a_constant_answer(runs):
    space = {"from-scratch": {"lr": 1e-6}, "full-finetune": {"lr": 1e-6}}
    names = ["toy-guess", "toy-majority", "from-scratch", "full-finetune"]
    records = {r.cell.strategy.name: r for r in runs.run(names, trials=1, seeds=2, max_steps=3, space=space)}
    assert records["toy-majority"].floor is None
    constant = records["toy-majority"].scores[0].value
    assert records["toy-guess"].floor == Floor(constant, one_answer=(0, 1), at_floor=(0, 1))
    scratch, tuned = (records[name] for name in ("from-scratch", "full-finetune"))
    assert (scratch.floor.pretrained, tuned.floor.pretrained) == (False, True)
    assert scratch.floor.at_floor == tuned.floor.at_floor == (0, 1)
    first, last = (scratch.fits[0].notes[name] for name in ("first_loss", "last_loss"))
    assert first == pytest.approx(last, rel=0.05)
    assert floor_note(scratch).startswith("starved: at the floor after 3 steps in 2 of 2 seeds (training loss 0.")
