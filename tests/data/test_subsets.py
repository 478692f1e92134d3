"""Draws of a few labelled examples: of each class, or a share of all."""

from __future__ import annotations

from collections import Counter

import pytest

from tlbench.contracts.errors import DataError
from tlbench.contracts.identity.amount import Amount
from tlbench.contracts.outputs import Classes, MultiLabel, Output, Scalar, TokenClasses
from tlbench.contracts.task import Example, Examples
from tlbench.data.subsets import draw_subset, permutation, shot_classes

CLASSES = Classes(("a", "b", "c"))
TAGS = TokenClasses(("O", "B-person", "I-person", "B-place"))


def _examples(targets: list[object]) -> Examples:
    return Examples(tuple(Example(str(i), (f"text {i}",), target) for i, target in enumerate(targets)))


BALANCED = _examples([i % 3 for i in range(60)])


def test_each_class_has_as_many_examples_as_shots() -> None:
    drawn = draw_subset(BALANCED, CLASSES, Amount(shots=5), 0)
    assert Counter(BALANCED[i].target for i in drawn) == {0: 5, 1: 5, 2: 5}
    assert len(set(drawn)) == 15


def test_draws_depend_on_the_seed_and_are_nested() -> None:
    draws = [draw_subset(BALANCED, CLASSES, Amount(shots=shots), 1) for shots in (1, 4, 9)]
    assert set(draws[0]) < set(draws[1]) < set(draws[2])
    assert draw_subset(BALANCED, CLASSES, Amount(shots=4), 1) == draws[1]
    assert set(draw_subset(BALANCED, CLASSES, Amount(shots=4), 2)) != set(draws[1])


def test_a_share_is_drawn_like_a_limit_of_as_many() -> None:
    share = draw_subset(BALANCED, Scalar(), Amount(fraction=0.1), 3)
    assert share == draw_subset(BALANCED, Scalar(), Amount(limit=6), 3) == permutation(60, 3)[:6]
    assert len(draw_subset(BALANCED, CLASSES, Amount(fraction=0.001), 3)) == 1


def test_a_class_with_too_few_examples_is_named() -> None:
    few = _examples([0] * 9 + [1] * 4 + [2] * 2)
    with pytest.raises(DataError, match=r"shots=5: the class 'c' has 2 training examples and 1 more .*at most 2"):
        draw_subset(few, CLASSES, Amount(shots=5), 0)
    drawn = draw_subset(few, CLASSES, Amount(shots=5), 0, fewer=True)
    assert Counter(few[i].target for i in drawn) == {0: 5, 1: 4, 2: 2}


def test_a_class_without_any_example_is_no_mistake() -> None:
    assert len(draw_subset(_examples([0, 0, 1, 1]), CLASSES, Amount(shots=2), 0)) == 4


@pytest.mark.parametrize("seed", range(5))
def test_every_label_and_their_absence_have_enough_examples(seed: int) -> None:
    output = MultiLabel(("x", "y", "z"))
    rows = _examples([(i % 2, int(i % 3 == 0), int(i % 7 == 0)) for i in range(84)])
    draws = [set(draw_subset(rows, output, Amount(shots=shots), seed)) for shots in (1, 2, 5)]
    assert draws[0] <= draws[1] <= draws[2]
    counts = Counter(one for i in draws[2] for one in shot_classes(output, rows[i].target))
    assert counts.keys() == {"x", "y", "z", "no label"}
    assert min(counts.values()) >= 5


@pytest.mark.parametrize(
    ("output", "target", "expected"),
    [
        (CLASSES, 1, {"b"}),
        (MultiLabel(("x", "y")), (0, 1), {"y"}),
        (MultiLabel(("x", "y")), (0, 0), {"no label"}),
        (TAGS, (0, 1, 2, 3), {"person", "place"}),
        (TAGS, (0, 0), set()),
        (TokenClasses(("noun", "verb")), (0, 1, 0), {"noun", "verb"}),
    ],
)
def test_what_an_example_is_a_shot_of(output: Output, target: object, expected: set[str]) -> None:
    assert shot_classes(output, target) == expected


def test_sentences_without_an_entity_are_not_drawn() -> None:
    sentences = Examples(tuple(Example(str(i), (("a", "b"),), (0, (0, 1, 3)[i % 3])) for i in range(30)))
    drawn = draw_subset(sentences, TAGS, Amount(shots=3), 0)
    assert Counter(sentences[i].target[1] for i in drawn) == {1: 3, 3: 3}


def test_numbers_have_no_shots() -> None:
    with pytest.raises(DataError, match="scalar has no classes: use train_fraction or train_limit"):
        draw_subset(_examples([0.5, 1.0]), Scalar(), Amount(shots=1), 0)
