"""The examples of fits that see few labelled data."""

from __future__ import annotations

from collections import Counter

import pytest

from tlbench.contracts.identity.amount import Amount
from tlbench.running.splits import Splits
from tlbench.testing.toys import ToyTask

FOUR = Amount(shots=4)


@pytest.fixture
def splits() -> Splits:
    return Splits(ToyTask(train=60, validation=40))


def test_validation_is_as_small_as_train_and_the_same_for_all_fits(splits: Splits) -> None:
    classes = len(Counter(example.target for example in splits.train))
    drawn = splits.validation_of(FOUR)
    assert set(Counter(example.target for example in drawn).values()) == {4}
    assert len(drawn) == len(splits.subset(0, FOUR)) == 4 * classes
    assert len(splits.validation_of(Amount(fraction=0.25))) == 10
    for whole in (Amount(shots=4, validation="whole"), Amount(limit=4), Amount()):
        assert splits.validation_of(whole) is splits.validation


def test_a_winner_on_both_splits_sees_both_draws(splits: Splits) -> None:
    both = splits.subset(1, FOUR, "train+validation")
    assert list(both) == [*splits.subset(1, FOUR), *splits.validation_of(FOUR)]


def test_folds_divide_as_many_examples_of_each_class_from_train_and_validation_together(splits: Splits) -> None:
    amount = Amount(shots=4, folded=True)
    both = splits.subset(1, amount, "train+validation")
    assert set(Counter(example.target for example in both).values()) == {4}
    folds = splits.folds(2, 1, amount)
    assert sorted(position for fold in folds for position in fold) == list(range(len(both)))


def test_what_is_not_drawn_is_unlabelled(splits: Splits) -> None:
    rest = splits.unlabeled(1, FOUR)
    assert rest is not None
    drawn = {example.id for example in splits.subset(1, FOUR)}
    assert {example.id for example in splits.train} <= drawn | {example.id for example in rest}
    assert drawn.isdisjoint(example.id for example in rest)
    assert {example.target for example in rest} == {None}


def test_left_out_rows_of_the_source_do_not_mix_with_an_unlabelled_target_domain() -> None:
    class Shifted(ToyTask):
        unlabeled_like = "test"

    rest = Splits(Shifted(unlabeled=10)).unlabeled(1, FOUR)
    assert rest is not None
    assert [example.id for example in rest] == [f"unlabeled-{number}" for number in range(10)]


def test_one_pool_has_the_draws_of_all_seeds(splits: Splits) -> None:
    pool, positions = splits.pool((0, 3), FOUR)
    for seed in (0, 3):
        assert list(pool.take(positions[seed])) == list(splits.subset(seed, FOUR))
