"""A file, a folder or a repository given without a scheme: the message suggests the name with it."""

import pytest
from tlbench_data.suggested_names import suggested

from tlbench import UsageError
from tlbench.catalog.catalog import Catalog


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("feedback.csv", ["csv:feedback.csv"]),
        ("data/Feedback.TSV.gz", ["tsv:data/Feedback.TSV.gz"]),
        ("rows.json", ["jsonl:rows.json", "squad:rows.json"]),
        ("odd[1].csv", ['csv:"odd[1].csv"']),
        ("tables", ["csv:tables"]),
        ("photos", ["imagefolder:photos"]),
        ("digits", ["idx:digits"]),
        ("empty", []),
        ("stanfordnlp/imdb", ["hub:stanfordnlp/imdb"]),
        ("sst2", []),
        ("~nobody-here/x.txt", []),
    ],
)
def test_what_a_name_without_a_scheme_may_mean(tmp_path, monkeypatch, name, names):
    monkeypatch.chdir(tmp_path)
    for file in ("tables/train.csv", "photos/cat/1.png", "digits/train-images-idx3-ubyte.gz", "empty/.keep"):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert suggested(name) == names


def test_the_message_of_an_unknown_task_has_the_suggestion():
    catalog = Catalog.discover()
    with pytest.raises(UsageError, match=r"unknown task 'feedback\.csv'; did you mean csv:feedback\.csv\?"):
        catalog.task("feedback.csv[label=Category]")
    with pytest.raises(UsageError, match=r"unknown backbone 'feedback\.csv'; there is"):
        catalog.backbone("feedback.csv")
