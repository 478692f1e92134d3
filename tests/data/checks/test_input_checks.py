"""Empty and repeated inputs, and inputs or groups that two splits share, are counted and named."""

from types import SimpleNamespace

import pytest

from tlbench import Classes, Example, Examples
from tlbench.data.checks.check_finding import CheckedData
from tlbench.data.checks.input_checks import empty_inputs, overlapping_inputs, repeated_inputs, straddling_groups
from tlbench.running.scoring.overlap import overlap

OUTPUT = Classes(("no", "yes"))


def rows(split, *inputs):
    as_tuples = (each if isinstance(each, tuple) else (each,) for each in inputs)
    return Examples(Example(f"{split}-{i}", each, 0) for i, each in enumerate(as_tuples))


def data(options=(), **splits):
    examples = {split: rows(split, *inputs) for split, inputs in splits.items()}
    return CheckedData(examples, OUTPUT, options=frozenset(options))


def summary(findings):
    return [(finding.kind, finding.severity, finding.count, finding.examples) for finding in findings]


def test_empty_texts():
    found = empty_inputs(data(train=["a", "", " \n", "\u200b\u00a0", "...", "-"], test=["\t", "b"]))
    assert summary(found) == [
        ("empty-input", "warning", 3, ("train-1", "train-2", "train-3")),
        ("empty-input", "warning", 1, ("test-0",)),
    ]
    assert found[0].message == "3 of 6 train rows have an empty text"


@pytest.mark.parametrize("empty", [("a", ""), ((),), (("", " "),)])
def test_empty_second_texts_and_sentences(empty):
    assert [finding.count for finding in empty_inputs(data(train=[empty, ("a", "b")]))] == [1]


def test_the_advice_names_only_options_of_the_task():
    assert empty_inputs(data(train=[""]))[0].advice == "leave such rows out"
    assert empty_inputs(data(["drop_missing"], train=[""]))[0].advice == "drop_missing=true leaves such rows out"


def test_repeated_texts_are_counted_after_the_first_within_a_split():
    found = repeated_inputs(data(train=["a", "b", "a", "a", ("a", "b"), "A"], validation=["a", "c"]))
    assert summary(found) == [("repeated-input", "note", 2, ("train-2", "train-3"))]
    assert found[0].message == "2 of 6 train rows repeat the input of an earlier train row"


def test_at_most_five_rows_are_named():
    (found,) = repeated_inputs(data(train=["a"] * 9))
    assert (found.count, len(found.examples)) == (8, 5)


def test_rows_of_two_splits_with_equal_inputs():
    found = overlapping_inputs(data(train=["a", "b", "c"], validation=["v", "b"], test=["a", "B ", "v", "b", "V", "t"]))
    assert [(each.kind, each.message, each.examples) for each in found] == [
        ("overlap", "1 of 2 validation rows occurs in train", ("validation-1",)),
        ("overlap", "2 of 6 test rows occur in train", ("test-0", "test-3")),
        (
            "near-overlap",
            "1 of 6 test rows differs only in case, spaces or Unicode form from rows of train",
            ("test-1",),
        ),
        ("overlap", "1 of 6 test rows occurs in validation", ("test-2",)),
        (
            "near-overlap",
            "2 of 6 test rows differ only in case, spaces or Unicode form from rows of validation",
            ("test-1", "test-4"),
        ),
    ]
    assert {each.severity for each in found} == {"warning"}


def test_the_counts_are_those_of_a_record():
    splits = data(train=["a", "b", "b"], validation=["v", "b"], test=["b", "b", "v", "x"]).splits
    found = [each for each in overlapping_inputs(CheckedData(splits, OUTPUT)) if each.message.endswith("n")]
    recorded = overlap(splits["test"], SimpleNamespace(train=splits["train"], validation=splits["validation"]))
    counts = [each.count for each in found if "test rows" in each.message]
    assert counts == [recorded["train"], recorded["validation"]] == [2, 1]


def test_splits_without_common_inputs():
    assert overlapping_inputs(data(train=["a"], validation=["b"], test=["c"])) == []


def test_groups_in_two_splits():
    def grouped(split, *groups):
        return [SimpleNamespace(id=f"{split}-{i}", group=group) for i, group in enumerate(groups)]

    splits = {
        "train": grouped("train", "ann", "bob", "", "cy"),
        "validation": grouped("validation", "dan", ""),
        "test": grouped("test", "bob", "bob", "ann", "eve"),
    }
    (found,) = straddling_groups(CheckedData(splits, OUTPUT))
    assert (found.count, found.examples) == (2, ("bob", "ann"))
    assert found.message == "2 groups are in both train and test, with 3 test rows"
    assert straddling_groups(data(train=["a"], test=["a"])) == []
