"""The report on classes in a terminal."""

import io

import msgspec
import pytest
from rich.console import Console

from tlbench.contracts.fits.class_scores import ClassReport, ClassScore
from tlbench.results.render.class_table import report


def shown(record, report_of, width=120):
    fits = tuple(msgspec.structs.replace(record.trials[0], seed=seed) for seed in (0, 1))
    console = Console(file=io.StringIO(), width=width)
    console.print(report(msgspec.structs.replace(record, report=report_of, fits=fits)))
    return console.file.getvalue()


@pytest.fixture
def record(made):
    return made.record(made.cell(), None)


def classes(names):
    return tuple(ClassScore(name, 0.5, 0.25, 1 / 3 - i / 1000, 1000) for i, name in enumerate(names))


def test_a_few_classes_have_a_matrix(record):
    names = ("[red]no", "yes\x1b[31m")
    found = shown(record, ClassReport(classes(names), names, ((0, 0, 1500), (0, 1, 500), (1, 1, 2000))))
    lines = [line.split() for line in found.splitlines() if line.strip()]
    assert lines[0] == ["classes", "summed", "over", "seeds"]
    assert lines[2] == ["[red]no", "50.0", "25.0", "33.3", "1,000"]
    assert lines[-2:] == [["[red]no", "1,500", "500"], ["yes", "0", "2,000"]]
    assert "\x1b" not in found


def test_of_many_classes_the_worst_and_what_is_confused_most_are_shown(record):
    names = tuple(f"class-{i:03}" for i in range(120))
    entries = (*((i, (i + 1) % 120, i + 1) for i in range(120)), (5, 5, 9999))
    found = shown(record, ClassReport(classes(names), names, entries))
    assert "and 70 more" in found
    assert "class-119" in found.partition("confused most")[0]
    assert "class-000" not in found.partition("confused most")[0]
    pairs = [line.split() for line in found.partition("confused most")[2].splitlines()][2:]
    assert pairs[0] == ["class-119", "class-000", "120"]
    assert len(pairs) == 20
    assert "9,999" not in found


def test_labels_have_no_matrix_and_a_record_may_have_nothing(record):
    assert "confu" not in shown(record, ClassReport(classes(("a", "b"))))
    assert "no report" in shown(record, ClassReport())
