"""The validation split that is carved from train, for every kind of output."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tlbench import (
    Answer,
    Classes,
    DataError,
    Example,
    Examples,
    MultiLabel,
    Scalar,
    Span,
    Task,
    Text,
    TokenClasses,
    carve,
    divide,
)
from tlbench.data.carving import planned_carve
from tlbench.running.splits import Splits

NAMES = ("a", "b", "c")


def made(output, count=100, distinct=80, seed=0):
    """Examples with repeated inputs, and a target of the output."""
    rng = random.Random(seed)
    examples = []
    for number in range(count):
        word = f"w{rng.randrange(distinct)}"
        index = rng.choices(range(3), (8, 3, 1))[0]
        targets = {
            Classes: (f"text {word}",), MultiLabel: (f"text {word}",), Scalar: (word, "pair"), Text: (word,),
            TokenClasses: ((word, "x"),), Span: (f"question {number}", f"here is {word}"),
        }  # fmt: skip
        target = {
            Classes: index,
            MultiLabel: (1, int(index == 1), int(index == 2)),
            Scalar: rng.random(),
            Text: ("answer",),
            TokenClasses: (0, index),
            Span: (Answer("here", 0),),
        }[type(output)]
        examples.append(Example(str(number), targets[type(output)], target))
    return examples


OUTPUTS = [Classes(NAMES), MultiLabel(NAMES), Scalar(), TokenClasses(NAMES), Span(), Text()]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: output.kind)
def test_a_carved_split_keeps_the_promises_of_a_drawn_one(output, seed):
    examples = made(output, seed=seed)
    train, validation = carve(examples, output, seed=seed)
    assert sorted((*train, *validation)) == list(range(100))
    # 20% of the rows, as close as equal inputs allow.
    assert 18 <= len(validation) <= 20
    inputs = [{output.undivided_inputs(examples[row]) for row in part} for part in (train, validation)]
    assert inputs[0].isdisjoint(inputs[1])
    present = [{c for row in part for c in output.class_indices(examples[row].target)} for part in (train, validation)]
    assert present[1] <= present[0]
    assert present[0] == {c for example in examples for c in output.class_indices(example.target)}


@pytest.mark.parametrize(("count", "size"), [(2, 1), (5, 1), (100, 20), (9_999, 2000), (12_000, 2000)])
def test_the_size_of_a_carve(count, size):
    examples = [Example(str(row), (f"t{row}",), row % 2 if count > 3 else 0) for row in range(count)]
    assert len(carve(examples, Classes(("a", "b")))[1]) == size
    assert f"{size:,} of {count:,} training rows" in planned_carve({"train": count}, Classes(("a", "b")))


def test_a_carve_is_stratified():
    examples = [Example(str(row), (f"t{row}",), int(row % 10 == 0)) for row in range(200)]
    _, validation = carve(examples, Classes(("a", "b")))
    assert Counter(examples[row].target for row in validation) == {0: 36, 1: 4}
    values = [Example(str(row), (f"t{row}",), float(row)) for row in range(100)]
    _, validation = carve(values, Scalar())
    assert Counter(row // 10 for row in validation) == dict.fromkeys(range(10), 2)
    # One in twenty has a rare label besides the frequent one: its share of validation is the same.
    several = [Example(str(row), (f"t{row}",), (1, int(row % 20 == 0))) for row in range(200)]
    _, validation = carve(several, MultiLabel(("often", "rarely")))
    assert sum(several[row].target[1] for row in validation) == 2


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_on_one_side(seed):
    # Patients of seven rows; every tenth has a text that the next tenth has too.
    examples = [
        Example(str(row), (f"t{row}" if row % 70 else f"shared {row // 140}",), row % 2, group=f"p{row // 7}")
        for row in range(210)
    ]
    parts = divide(examples, Classes(("a", "b")), {"train": 0.6, "validation": 0.2, "test": 0.2}, seed)
    groups = [{examples[row].group for row in rows} for rows in parts.values()]
    inputs = [{examples[row].inputs for row in rows} for rows in parts.values()]
    assert sum(map(len, groups)) == 30
    # A text that two patients share keeps both on one side.
    assert sum(map(len, inputs)) == len({example.inputs for example in examples})
    assert all(rows for rows in parts.values())


def test_a_carve_of_a_group_that_is_larger_than_its_share():
    examples = [Example(str(row), (f"t{row}",), row % 2, group=f"p{row // 20}") for row in range(60)]
    assert len(carve(examples, Classes(("a", "b")))[1]) == 20


@pytest.mark.parametrize(
    "examples",
    [
        [Example("0", ("t",), 0)],
        [Example(str(row), (f"t{row}",), row) for row in range(3)],
        [Example(str(row), ("t",), 0) for row in range(50)],
        [Example(str(row), (f"t{row}",), row % 2, group="p") for row in range(50)],
    ],
)
def test_too_few_rows_are_one_line(examples):
    class Tiny(Task):
        name, modality, output, metrics = "tiny", "text", Classes(NAMES), ("accuracy",)

        def split(self, name):
            return Examples(examples) if name == "train" else None

    with pytest.raises(DataError, match=r"^tiny: no validation split can be carved from [\d]+ training rows") as caught:
        _ = Splits(Tiny()).validation
    assert "\n" not in str(caught.value)


def test_a_task_with_a_validation_split_is_left_alone():
    class Whole(Task):
        name, modality, output, metrics = "whole", "text", Classes(NAMES), ("accuracy",)

        def split(self, name):
            return Examples([Example(f"{name}-{row}", ("same",), 0) for row in range(4)])

    splits = Splits(Whole())
    assert splits.validation.fingerprint == Whole().split("validation").fingerprint
    assert splits.train.fingerprint == Whole().split("train").fingerprint
    assert planned_carve({"train": 4, "validation": 4}, Whole.output) == ""


def test_the_strata_of_an_output_from_elsewhere():
    class Grade(Classes):
        """Third parties decide what is stratified, and what is not divided."""

        stratified_by = "half"

        def strata(self, targets):
            return [target // 2 for target in targets]

        def undivided_inputs(self, example):
            return example.inputs[:1]

    examples = [Example(str(row), (f"author {row // 2}", f"t{row}"), row % 4) for row in range(80)]
    train, validation = carve(examples, Grade(("1", "2", "3", "4")))
    assert {row // 2 for row in train}.isdisjoint({row // 2 for row in validation})
    assert planned_carve({"train": 80}, Grade(("1",))).endswith(
        "16 of 80 training rows carved by seed 0, stratified by half"
    )
