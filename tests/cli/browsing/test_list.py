"""Browsing: what `list` narrows, where data is looked for, and what finds no room."""

from __future__ import annotations

import os

import pytest

from tlbench.catalog.strategy_families import FAMILIES
from tlbench.cli import text_tables
from tlbench.cli.app import _main
from tlbench.cli.arguments.counts import parse_count
from tlbench.cli.browsing import list as listing
from tlbench.cli.browsing.list import short_count

pytestmark = pytest.mark.usefixtures("zoo")


def names(listed):
    known = {"small-bert", "large-bert", "little-net", "unsized", "zoo-tags", "zoo-many", "toy-tone", "toy-count"}
    return {line.split()[0] for line in listed.splitlines() if line} & known


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["small-bert", "large-bert", "little-net", "unsized"]),
        (["--modality", "image"], ["little-net"]),
        (["--family", "BERT"], ["small-bert", "large-bert", "unsized"]),
        (["--max-parameters", "30M"], ["small-bert", "little-net"]),
        (["--max-parameters", "11000000"], ["small-bert", "little-net"]),
        (["--modality", "text", "--family", "bert", "--max-parameters", "0.3B"], ["small-bert"]),
    ],
    ids=" ".join,
)
def test_backbones_are_narrowed(output_of, options, expected):
    listed = output_of("list", "backbones", *options)
    assert names(listed) == set(expected)
    assert "zoo:<shelf>" in listed
    assert "zoofile:" not in listed
    if "--max-parameters" in options:
        assert "more of unknown size" in listed


def test_backbones_are_printed_in_columns(output_of):
    listed = output_of("list", "backbones").splitlines()
    assert listed[0] == "backbones family modality parameters width stages on disk licence from source"
    assert "small-bert bert text 11.0M 64 3 yes MIT zoo_of_tests org/shelf" in listed
    assert "large-bert roberta-BERT text 340.0M 64 3 no MIT zoo_of_tests org/shelf" in listed


def test_what_is_missing_is_listed_with_how_to_get_it(output_of):
    listed = output_of("list", "backbones").splitlines()
    assert "large-bert is not on this machine: run `tlbench fetch --backbone large-bert`" in listed
    assert not [line for line in listed if line.startswith("small-bert is not")]
    # A backbone that the filter leaves out has no such line either.
    assert "tlbench fetch" not in output_of("list", "backbones", "--modality", "image")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--kind", "token-classes"], ["zoo-tags"]),
        (["--kind", "classes"], ["zoo-many", "toy-tone"]),
        (["--kind", "scalar", "--modality", "text"], ["toy-count"]),
        (["--modality", "image"], []),
    ],
    ids=" ".join,
)
def test_tasks_are_narrowed(output_of, options, expected):
    assert names(output_of("list", "tasks", *options)) == set(expected)


def test_tasks_are_listed_with_their_kind_and_whether_data_is_here(output_of):
    listed = output_of("list", "tasks").splitlines()
    assert "zoo-tags text token-classes (3) no entity_f1 CC BY 4.0 zoo_of_tests who is who" in listed
    assert "zoo-many text classes (77) yes accuracy CC BY 4.0 zoo_of_tests who is who" in listed
    (named,) = [line for line in listed if line.startswith("and by name: ")]
    assert "zoofile:<path>" in named


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "tasks", "--family", "bert"], "--family narrows `tlbench list backbones`, not `tlbench list tasks`"),
        (["list", "--modality", "text"], "--modality narrows `tlbench list backbones` or `tlbench list tasks`"),
        (["list", "backbones", "--kind", "span"], "--kind narrows `tlbench list tasks`"),
        (["list", "backbones", "--max-parameters", "many"], "--max-parameters many: not a number; write it as 30M"),
        (["list", "backbones", "--modality", "smell"], "--modality"),
        (["list", "--data-root", "/no/such/folder"], "--data-root /no/such/folder: no such folder"),
        (["show", "toy", "--data-root", "/no/such/folder"], "--data-root /no/such/folder: no such folder"),
        (["plan", "-t", "toy-tone", "-S", "toy-fit", "-b", "toy", "--max-memory", "lots"], "--max-memory lots: a size"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_users_mistake_is_one_line(output_of, arguments, message):
    assert message in output_of(*arguments, status=2)


def test_what_would_not_fit_is_skipped_by_name_and_not_without_a_limit(output_of):
    arguments = ("plan", "-t", "toy-tone", "-b", "small-bert", "-S", "zoo-tune", "--no-baseline")
    assert "needs about 1.3 GiB of 1.0 GiB: all of 11.0 million" in output_of(*arguments, "--max-memory", "1GiB")
    for limit in ("0", "2GiB"):
        assert "1 cell, 0 done, 0 skipped" in output_of(*arguments, "--max-memory", limit)


def test_the_data_root_is_set_for_this_process_and_its_workers(output_of, tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path)
    output_of("list", "tasks", "--data-root", f"one{os.pathsep}{tmp_path / 'two'}")
    assert os.environ["TLBENCH_DATA"] == f"{tmp_path / 'one'}{os.pathsep}{tmp_path / 'two'}"
    output_of("list", "tasks")
    assert os.environ["TLBENCH_DATA"].startswith(f"{tmp_path / 'one'}")


def test_numbers_are_read_and_written_as_people_do():
    assert [parse_count(text, "") for text in ("30M", "1.5b", "200k", "12")] == [30_000_000, 1_500_000_000, 200_000, 12]
    assert [short_count(count) for count in (22_565_376, 2_100_000_000, 900, None)] == ["22.6M", "2.1B", "900", ""]


def test_the_kind_that_was_inferred_is_said(capsys):
    assert _main(["plan", "-t", "zoofile:my.csv", "-S", "toy-majority"]) == 0
    assert "zoofile:my.csv: 2 classes, as its column says" in capsys.readouterr().err
    assert _main(["plan", "-t", "toy-tone", "-S", "toy-majority"]) == 0
    assert not capsys.readouterr().err


def test_strategies_are_listed_by_family_with_headings_at_a_terminal(output_of, monkeypatch):
    piped = output_of("list", "strategies").splitlines()
    assert piped[0] == "strategies family from about"
    assert piped.pop() == "and by name: peft:<method>"
    families = [line.split()[1] for line in piped[1:]]
    assert families[0] == "baseline"
    assert families[-1] == "other"
    assert not [line for line in piped if line.startswith("Baselines")]
    for module in (listing, text_tables):
        monkeypatch.setattr(module, "terminal_width", lambda: 80)
    shown = output_of("list", "strategies").splitlines()
    assert shown[0].split()[0] == "strategies"
    assert shown[1] == "Baselines: what a score has to beat"
    assert shown.index("other") < next(i for i, line in enumerate(shown) if line.startswith("zoo-tune"))
    # The same strategies in the same order.
    notes = ("not shown", "and by name", "shows all")
    rows = [line for line in shown[1:] if line not in {*FAMILIES.values(), "other"} and not line.startswith(notes)]
    assert [line.split()[0] for line in rows] == [line.split()[0] for line in piped[1:]]


def test_policies_are_listed_with_what_they_do(output_of):
    listed = output_of("list", "policies")
    assert "race" in listed
    assert "Probes of all backbones, a portfolio of defaults, then steps beside the best." in listed
