"""Names are found in records as they are typed: relative, without pins or parameters, or as patterns."""

import pytest

from tlbench.contracts.errors import UnknownName, UsageError
from tlbench.results.choice.recorded_names import matching

TASKS = {
    "csv:/data/a/reviews.csv@b00e98893bfe",
    "csv:/data/a/reviews.csv@b00e98893bfe[label=Category]",
    "csv:/data/a/reviews.csv@aaaa98893bfe[label=Category,text=note]",
    "csv:/data/b/news.csv@123456789abc",
    "csv:/data/c/news.csv@123456789abc",
    "toy-tone",
    "toy-count",
    "partial[stages=2]",
    "partial",
}


def nothing(name):
    raise UnknownName(name)


def of(*beginnings):
    return {task for task in TASKS if task.startswith(beginnings)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("toy-tone", {"toy-tone"}),
        ("toy-*", {"toy-tone", "toy-count"}),
        ("toy-?o*", {"toy-tone", "toy-count"}),
        ("*[stages=2]", {"partial[stages=2]"}),
        ("partial[stages=2]", {"partial[stages=2]"}),
        ("csv:reviews.csv", of("csv:/data/a/")),
        ("csv:a/reviews.csv", of("csv:/data/a/")),
        ("csv:/data/a/reviews.csv", of("csv:/data/a/")),
        ("csv:reviews.csv@b00e", of("csv:/data/a/reviews.csv@b00e")),
        ("csv:reviews.csv[label=Category]", {task for task in of("csv:/data/a/") if "label" in task}),
        ("csv:reviews.csv[text=note]", {task for task in TASKS if "text=note" in task}),
        ("csv:*reviews*", of("csv:/data/a/")),
        ("csv:*news.csv", of("csv:/data/b", "csv:/data/c")),
    ],
)
def test_what_a_name_means(text, expected):
    assert matching("task", text, TASKS, nothing) == expected


PUBLISHED = {
    "csv:reviews.csv@sha-b00e98893bfe",
    "csv:reviews.csv@sha-aaaa98893bfe[label=note]",
    "imagefolder:pets@sha-123456789abc",
    "imagefolder:animals@sha-123456789abc",
    "toy-tone",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("csv:reviews.csv", {name for name in PUBLISHED if "reviews" in name}),
        ("csv:gone/reviews.csv", {name for name in PUBLISHED if "reviews" in name}),
        ("csv:/gone/reviews.csv[label=note]", {"csv:reviews.csv@sha-aaaa98893bfe[label=note]"}),
        ("csv:reviews.csv@b00e", {"csv:reviews.csv@sha-b00e98893bfe"}),
        ("csv:reviews.csv@sha-b00e", {"csv:reviews.csv@sha-b00e98893bfe"}),
        # One content under two labels is one task.
        ("imagefolder:photos/pets", {name for name in PUBLISHED if "imagefolder" in name}),
    ],
)
def test_files_are_recorded_without_their_folders(text, expected):
    assert matching("task", text, PUBLISHED, nothing) == expected


def test_of_two_files_of_one_name_a_path_means_the_one_that_is_there():
    recorded = {"csv:train.csv@sha-b00e98893bfe", "csv:train.csv@sha-aaaa98893bfe"}
    here = "csv:train.csv@sha-aaaa98893bfe"
    assert matching("task", "csv:a/train.csv", recorded, lambda name: here) == {here}


def test_a_relative_path_is_that_of_the_working_directory_first(tmp_path, monkeypatch):
    here = f"csv:{tmp_path}/reviews.csv@0123456789ab"
    monkeypatch.chdir(tmp_path)
    assert matching("task", "csv:reviews.csv", {*TASKS, here}, nothing) == {here}
    assert matching("task", "csv:./reviews.csv", {*TASKS, here}, nothing) == {here}


def test_an_installed_object_gives_its_canonical_name():
    assert matching("strategy", "mine/partial[stages=2.0]", TASKS, lambda name: "partial[stages=2]") == {
        "partial[stages=2]"
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "csv:news.csv",
            r"could be csv:/data/b/news\.csv or csv:/data/c/news\.csv: give more of the path, or a pattern",
        ),
        ("csv:reviews.csv[label=no]", "no record of the task csv:reviews"),
        ("csv:reviews.csv@ffff", "no record of the task csv:reviews"),
        ("views.csv", r"no record of the task views\.csv; did you mean .*csv:reviews\.csv"),
        ("toy-ton", "did you mean toy-tone"),
        ("x*", r"no record of the task x\*; there is csv:news\.csv, csv:reviews\.csv, "),
    ],
)
def test_what_means_nothing_or_several_things_is_one_line(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        matching("task", text, TASKS, nothing)
    assert "\n" not in str(caught.value)
