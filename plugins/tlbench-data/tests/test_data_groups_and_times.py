"""Splits of files by groups, such as patients, and by time."""

from __future__ import annotations

import csv
import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tlbench_data.division.time_order import in_time_order, kind_of, shown_time, time_of

from tlbench import DataError
from tlbench.catalog.catalog import Catalog
from tlbench.running.splits import Splits


def write_csv(path, rows, columns=("text", "label")):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def task_of(path, params="", scheme="csv"):
    return Catalog.discover().task(f"{scheme}:{path}{params}").item


def splits_of(task):
    return {split: task.split(split) for split in ("train", "validation", "test")}


def refused(path, params, scheme="csv", error=DataError):
    with pytest.raises(error) as caught:
        task_of(path, params, scheme).output  # noqa: B018
    assert "\n" not in str(caught.value)
    return str(caught.value)


def numbered(count=100):
    """Rows of twenty patients, with two dates a year."""
    return [
        (f"text {row}", "ab"[row % 2], f"p{row // 5}", f"{2000 + row // 10}-0{1 + row // 5 % 2}-15")
        for row in range(count)
    ]


COLUMNS = ("text", "label", "patient", "when")


@pytest.fixture
def patients(tmp_path):
    return write_csv(tmp_path / "a.csv", numbered(), COLUMNS)


@pytest.mark.parametrize("seed", range(3))
def test_a_group_is_in_one_split(patients, seed):
    task = task_of(patients, f"[group=patient,seed={seed}]")
    groups = [{row.group for row in rows} for rows in splits_of(task).values()]
    assert sum(map(len, groups)) == 20
    assert task.sizes == {"train": 80, "validation": 10, "test": 10}
    assert f"(drawn by seed {seed}, stratified by class, groups whole)" in task.description


def test_a_group_is_on_one_side_of_a_carve(tmp_path):
    write_csv(tmp_path / "train.csv", numbered(), COLUMNS)
    write_csv(tmp_path / "test.csv", [("new", "a", "q1", "2020")], COLUMNS)
    task = task_of(tmp_path, "[group=patient]")
    splits = Splits(task)
    assert {row.group for row in splits.train}.isdisjoint({row.group for row in splits.validation})
    assert len(splits.validation) == 20
    assert "20 of 100 training rows carved by seed 0, stratified by class, groups whole" in task.description


def test_groups_that_files_divide_are_refused(tmp_path):
    write_csv(tmp_path / "train.csv", numbered(), COLUMNS)
    write_csv(tmp_path / "test.csv", numbered(40)[25:], COLUMNS)
    message = refused(tmp_path, "[group=patient]")
    assert "group=patient: 3 groups are in several splits, such as 'p5' in train and test; leave group= out" in message


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ("[group=nobody]", "line 2: no column 'nobody'; the columns are text, label, patient, when"),
        (
            "[time=patient]",
            "time=patient: 100 of 100 rows have no ISO date, number or year (line 2: 'p0', line 3: 'p0'",
        ),
        ("[time=when,seed=1]", "seed= has no effect with time="),
        ("[validation=0.95]", "validation=0.95 and test=0.1 leave no rows to train on"),
    ],
)
def test_groups_and_times_that_cannot_be_read(patients, params, words):
    assert words in refused(patients, params)


def test_rows_without_a_group_or_with_times_of_two_kinds(tmp_path):
    rows = [
        (f"t{row}", "ab"[row % 2], "" if row == 3 else row // 2, "x" if row == 3 else 2000 + row) for row in range(30)
    ]
    path = write_csv(tmp_path / "a.csv", rows, COLUMNS)
    assert "group=patient: 1 of 30 rows have no value (line 5: '')" in refused(path, "[group=patient]")
    assert "time=when: 1 of 30 rows have no ISO date, number or year (line 5: 'x')" in refused(path, "[time=when]")
    rows = [(f"t{row}", "ab"[row % 2], 0, "2000-01-01" if row == 3 else 2000 + row) for row in range(30)]
    path = write_csv(tmp_path / "b.csv", rows, COLUMNS)
    message = refused(path, "[time=when]")
    assert "time=when: '2000' (line 2) and '2000-01-01' (line 5) cannot be ordered" in message


def test_a_split_by_time(patients):
    task = task_of(patients, "[time=when]")
    assert [int(row.inputs[0].split()[1]) for row in task.split("test")] == list(range(90, 100))
    assert [int(row.inputs[0].split()[1]) for row in task.split("train")] == list(range(80))
    assert "(by time: train to 2007-02-15, validation to 2008-02-15, test to 2009-02-15)" in task.description


def test_a_carve_by_time_and_a_test_that_is_not_later(tmp_path):
    write_csv(tmp_path / "train.csv", numbered(), COLUMNS)
    write_csv(tmp_path / "test.csv", [("new", "a", "q1", "2008-01-01")], COLUMNS)
    task = task_of(tmp_path, "[time=when]")
    assert task.sizes == {"train": 80, "validation": 20, "test": 1}
    assert "test begins before train ends (2008-01-01)" in task.description


def test_repeats_and_classes_over_time(tmp_path):
    rows = [(f"t{row % 45}", "ab"[row % 2], 0, 2000 + row // 5) for row in range(50)]
    task = task_of(write_csv(tmp_path / "a.csv", rows, COLUMNS), "[time=when]")
    assert "5 later rows have the input of a training row" in task.description
    late = [(f"t{row}", "c" if row > 45 else "ab"[row % 2], 0, 2000 + row // 5) for row in range(50)]
    path = write_csv(tmp_path / "b.csv", late, COLUMNS)
    assert "no training row has c, which later rows have; declare the classes with labels=" in refused(
        path, "[time=when]"
    )
    assert task_of(path, "[time=when,labels=a+b+c]").sizes == {"train": 40, "validation": 5, "test": 5}


def test_groups_over_time(tmp_path, patients):
    assert task_of(patients, "[time=when,group=patient]").sizes["test"] == 10
    rows = [(text, label, f"p{number % 3}", when) for number, (text, label, _, when) in enumerate(numbered())]
    message = refused(write_csv(tmp_path / "b.csv", rows, COLUMNS), "[time=when,group=patient]")
    assert "group=patient and time=when contradict each other: 3 groups are in several splits" in message
    assert message.endswith("leave one of them out")


def test_a_group_of_sentences(tmp_path):
    rows = [(f"w{row}", "XY"[row % 2], row // 2, f"d{row // 6}") for row in range(120)]
    path = write_csv(tmp_path / "a.csv", rows, ("word", "tag", "sentence_id", "doc"))
    task = task_of(path, "[sentence=sentence_id,group=doc]")
    assert sum(len({row.group for row in rows}) for rows in splits_of(task).values()) == 20
    rows[1] = ("w1", "Y", 0, "other")
    path = write_csv(tmp_path / "b.csv", rows, ("word", "tag", "sentence_id", "doc"))
    assert "line 3: the group or time changes within a sentence" in refused(path, "[sentence=sentence_id,group=doc]")


def test_a_column_of_groups_is_no_label(tmp_path):
    # With two columns besides, the text would be found and the label not.
    rows = [(f"t{row}", "ab"[row % 2], row // 4) for row in range(40)]
    path = write_csv(tmp_path / "a.csv", rows, ("text", "verdict", "doc"))
    assert task_of(path, "[group=doc]").output.names == ("a", "b")


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        ("2019", "number", "2019"),
        (2019.5, "number", "2019.5"),
        ("2019-03", "date", "2019-03-01"),
        ("2019-03-02", "date", "2019-03-02"),
        ("2019-03-02T10:30", "date", "2019-03-02 10:30:00"),
        (datetime.date(2019, 3, 2), "date", "2019-03-02"),
        (datetime.datetime(2019, 3, 2, 1), "date", "2019-03-02 01:00:00"),
        ("2019-03-02T10:30Z", "date and time of a zone", "2019-03-02 10:30:00+00:00"),
    ],
)
def test_times(value, kind, shown):
    time = time_of(value)
    assert (kind_of(time), shown_time(time)) == (kind, shown)


@pytest.mark.parametrize("value", ["", "soon", "02.03.2019", None, True, float("nan"), "2019-13-01", [2019]])
def test_no_times(value):
    assert time_of(value) is None


def test_the_order_of_time():
    times = [3, 1, 1, 2, 2, 2, 9, 1, 5, 5]
    parts = in_time_order(times, {"train": 0.5, "validation": 0.2, "test": 0.3})
    # Three at 1, three at 2: half of ten rows is as close to one as two of these.
    assert sorted(row for rows in parts.values() for row in rows) == list(range(10))
    ends = [(min(times[row] for row in rows), max(times[row] for row in rows)) for rows in parts.values()]
    assert ends == [(1, 2), (3, 3), (5, 9)]
    with pytest.raises(ValueError, match="2 different times for 3 splits"):
        in_time_order([1, 2, 2, 1], {"train": 0.5, "validation": 0.25, "test": 0.25})


def test_times_of_parquet(tmp_path):
    start = datetime.datetime(2020, 1, 1)
    rows = [{"text": f"t{i}", "label": "ab"[i % 2], "at": start - datetime.timedelta(hours=i)} for i in range(30)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    task = task_of(tmp_path / "a.parquet", "[time=at]", "parquet")
    assert {row.inputs[0] for row in task.split("test")} == {"t0", "t1", "t2"}
