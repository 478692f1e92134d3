"""`tlbench check`, the short check before a first run, and the shares of cut texts that runs report."""

import json
import sys

import msgspec
import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.cli.app import _main
from tlbench.cli.checking.before_run import print_first_checks
from tlbench.contracts.record import Record
from tlbench.results.records.store import Store
from tlbench.testing.faults import READS

PLUGIN = '''
from dataclasses import dataclass
from tlbench import *

def rows(split, texts, target=lambda i: i % 2):
    return Examples(Example(f"{split}-{i}", (text,), target(i)) for i, text in enumerate(texts))

@dataclass(frozen=True)
class Odd(Task):
    """A task whose data has one problem of each kind."""
    name = "odd"
    modality = "text"
    output = Classes(("no", "No"))
    metrics = ("accuracy",)
    reading_notes = ("left out: 3 rows",)
    fails: bool = False

    def split(self, name):
        if self.fails:
            raise ValueError("col\\x1b[31mumn")
        texts = [f"text {name} {i}" for i in range(24)]
        if name == "train":
            return rows("train", [*texts, "a " * 100, "  ", "text train 1"], lambda i: 0 if i == 26 else i % 2)
        if name == "validation":
            return rows("\\x1b[31mvalidation", [*texts, "TEXT  train 1"])
        return rows("test", [*texts, "text train 2"], lambda i: 1) if name == "test" else None

class Away(Odd):
    name = "away"

    def missing(self):
        return "its file is not here"

@hookimpl
def tlbench_tasks():
    return [Odd(), Away()]
'''
TRAIN = 27


@pytest.fixture(autouse=True)
def odd(tmp_path, monkeypatch):
    """Installs the plugin, beside the toys, with a cache of its own."""
    (tmp_path / "odd_data_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "odd_data_plugin", raising=False)
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults,odd_data_plugin")
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def run(tmp_path, capsys):
    """Runs a task with the toy backbone in this process, and returns stderr."""

    def call(*arguments, task="odd", strategy="toy-fit"):
        given = ("-t", task, "-b", "toy", "-S", strategy, "--executor", "inline", "--trials", 1, "--seeds", 2)
        capsys.readouterr()
        assert (
            _main([str(each) for each in ("run", *given, "--no-baseline", "--out", tmp_path / "out", *arguments)]) == 0
        )
        return capsys.readouterr().err

    return call


def record_of(tmp_path) -> Record:
    (record,) = Store.open(tmp_path / "out").records()
    return record


def test_the_findings_of_a_task(output_of):
    assert output_of("check", "odd").splitlines() == [
        "odd: 27 train, 25 validation, 25 test",
        "warning: 1 of 27 train rows has an empty text: train-25",
        "leave such rows out",
        "warning: 1 of 25 validation rows differs only in case, spaces or Unicode form from rows of train:"
        " validation-24",
        "the validation score on them measures memory; remove them from train or validation",
        "warning: 1 of 25 test rows occurs in train: test-24",
        "the test score on them measures memory; remove them from train or test",
        "warning: 1 group of labels that look alike: 'no' and 'No'",
        "join them if they are one class",
        "warning: 1 input has different labels in different rows: train-1",
        "give each one label, or remove it",
        "note: left out: 3 rows",
        "note: 1 of 27 train rows repeats the input of an earlier train row: train-26",
        "remove them unless they are meant to count twice",
        "note: words per row, split at spaces: 3 at the median, at most 3 in 95% of the rows, 100 in the longest",
        "-b BACKBONE counts the texts that a backbone cuts",
        "5 warnings, 3 notes; of the test split only the inputs were read: --test-labels checks its labels too",
    ]


def test_a_backbone_counts_what_it_cuts(output_of):
    lines = output_of("check", "odd", "-b", "toy").splitlines()
    at = lines.index("warning: toy reads only the beginning of 1 of 27 train rows (3.7%): train-24")
    assert lines[at + 1] == "it has no option for longer texts"
    assert not any("words per row" in line for line in lines)
    assert "note: toy reads every input to its end" in output_of("check", "toy-tone", "-b", "toy")


def test_the_labels_of_the_test_split_are_read_only_on_request(output_of):
    assert "no test row" not in output_of("check", "odd")
    shown = output_of("check", "odd", "--test-labels")
    assert "warning: 1 of 2 classes has no test row: no" in shown
    assert "the labels of the test split were read too" in shown


def test_findings_as_json(output_of, capsys):
    (checked,) = json.loads(output_of("check", "odd", "--json"))
    assert (checked["task"], checked["rows"]) == ("odd", {"train": 27, "validation": 25, "test": 25})
    assert checked["test"] == "inputs"
    (near,) = [finding for finding in checked["findings"] if finding["kind"] == "near-overlap"]
    assert near == {
        "kind": "near-overlap",
        "severity": "warning",
        "message": "1 of 25 validation rows differs only in case, spaces or Unicode form from rows of train",
        "count": 1,
        "examples": ["\x1b[31mvalidation-24"],
        "advice": "the validation score on them measures memory; remove them from train or validation",
    }
    _main(["check", "odd", "--json"])
    assert "\x1b" not in capsys.readouterr().out


def test_strict_fails_for_warnings_and_not_for_notes(output_of):
    output_of("check", "odd", status=0)
    output_of("check", "odd", "--strict", status=1)
    assert "0 warnings, 1 note" in output_of("check", "toy-tone", "--strict", status=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to check: name a task"),
        (("tody-tone",), "unknown task 'tody-tone'; did you mean toy-tone"),
        (("away",), "away: its file is not here"),
        (("odd[fails=true]",), "failed while its data was read: ValueError: column"),
        (("odd", "-b", "toi"), "unknown backbone 'toi'"),
    ],
)
def test_mistakes_are_one_line(output_of, arguments, message):
    assert message in output_of("check", *arguments, status=2)


def test_the_tasks_of_a_suite(output_of, tmp_path, capsys):
    suite = tmp_path / "odd.toml"
    suite.write_text('[[cells]]\ntasks = ["toy-tone", "away", "toy-count"]\nstrategies = ["toy-majority"]\n')
    assert _main(["check", "--suite", str(suite), "toy-tone"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "not checked: away: its file is not here\n"
    assert [line.split(":")[0] for line in captured.out.splitlines() if not line.startswith(" ")] == [
        "toy-tone", "toy-count",
    ]  # fmt: skip


def test_warnings_are_printed_before_the_first_run_alone(run):
    err = run(strategy="toy-majority")
    assert "data of odd: 1 of 27 train rows has an empty text: train-25; 1 of 25 validation rows differs" in err
    assert "(4 warnings, shown once: `tlbench check odd` says more, and what to do)" in err
    assert "\x1b" not in err
    assert "data of odd" not in run("--fresh", "all", strategy="toy-majority")
    assert "data of" not in run(task="toy-tone", strategy="toy-majority")


def test_the_check_before_a_run_reads_no_test_split(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(READS, str(tmp_path / "reads"))
    for _ in range(2):
        print_first_checks(["toy-sealed", "toy-sealed"], Catalog.discover())
    # Once: the second time, the data is known.
    assert (tmp_path / "reads").read_text().split() == ["validation", "train"]
    assert capsys.readouterr().err == ""


def test_data_that_cannot_be_read_before_a_run_is_left_to_the_run(tmp_path, capsys):
    print_first_checks(["toy-broken", "odd"], Catalog.discover())
    assert capsys.readouterr().err.count("data of") == 1
    assert len(list((tmp_path / "cache" / "checked-data").iterdir())) == 1


def test_a_run_reports_and_records_the_share_of_cut_texts(run, output_of, tmp_path):
    err = run()
    shares = "3.7% of train, 0.0% of validation, 0.0% of test; it has no option for longer texts"
    assert f"odd: toy cut texts: {shares}" in err
    record = record_of(tmp_path)
    assert record.truncated == {"train": pytest.approx(1 / TRAIN), "validation": 0.0, "test": 0.0}
    assert all(fit.truncated == record.truncated for fit in record.fits)
    shown = output_of("show", record.cell.id, "--out", tmp_path / "out")
    assert f"cut texts {shares}" in shown
    # Nothing is left to run, and nothing is said again.
    assert "cut texts" not in run()


def test_no_cut_texts(run, output_of, tmp_path):
    assert "cut texts" not in run(task="toy-tone")
    assert "cut texts none" in output_of("show", record_of(tmp_path).cell.id, "--out", tmp_path / "out")


def test_records_without_the_share_are_read(run, output_of, tmp_path):
    run(strategy="toy-majority")
    record = record_of(tmp_path)
    assert record.truncated == {}
    old = msgspec.json.decode(msgspec.json.encode(record))
    for values in (old, *old["fits"]):
        del values["truncated"]
    assert msgspec.convert(old, Record, strict=False) == record
    assert "cut texts" not in output_of("show", record.cell.id, "--out", tmp_path / "out")
