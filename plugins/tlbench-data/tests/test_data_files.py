"""Locations of published files, their sizes, and the hub cache."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants
from tlbench_data.readers import Hub
from tlbench_data.tasks.published_files import TableTask, fixed

from tlbench import Classes, DataError, UsageError
from tlbench.catalog.data_roots import DATA_VARIABLE

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Weather(TableTask):
    name = "weather"
    output = Classes(("dry", "wet"))
    metrics = ("accuracy",)
    folders = ("weather", "WEATHER")
    files = fixed(train=("train.csv", "training.csv"), test=("test.csv",))
    splits = ("train", "test")
    sizes = fixed(train=2, test=1)
    hub = Hub("org/weather", "small")
    hub_splits = fixed(train="train", test="validation")


@pytest.fixture(autouse=True)
def _no_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(DATA_VARIABLE, f"{tmp_path / 'none'}:{tmp_path / 'data'}")
    folder = tmp_path / "data" / "WEATHER"
    folder.mkdir(parents=True)
    return folder


def fill(folder):
    (folder / "training.csv").write_text("text,label\nsun,dry\nrain,wet\n")
    (folder / "test.csv").write_text("text,label\nfog,wet\n")


def test_found_in_any_root_under_any_usual_name(root):
    fill(root)
    task = Weather()
    assert task.missing() is None
    task.fetch()
    train, test = task.split("train"), task.split("test")
    assert [(row.id, row.inputs, row.target) for row in train] == [("train-0", ("sun",), 0), ("train-1", ("rain",), 1)]
    assert [row.target for row in test] == [1]
    assert task.split("validation") is None


@pytest.mark.parametrize("variable", [None, "", "/there/is/no/such/folder"])
def test_missing_says_what_to_do(monkeypatch, variable):
    if variable is None:
        monkeypatch.delenv(DATA_VARIABLE, raising=False)
    else:
        monkeypatch.setenv(DATA_VARIABLE, variable)
    reason = Weather().missing()
    assert reason == (
        "weather is not here: set TLBENCH_DATA to a folder that holds weather/ (train.csv, test.csv), "
        "or run `tlbench fetch --task weather`"
    )
    with pytest.raises(DataError, match="weather is not here"):
        Weather().split("train")


def test_a_folder_without_all_of_the_files_is_missing(root):
    fill(root)
    (root / "test.csv").unlink()
    assert Weather().missing()


def test_another_number_of_rows_than_was_published(root):
    fill(root)
    (root / "training.csv").write_text("text,label\nsun,dry\n")
    with pytest.raises(DataError, match="1 examples in train of weather, where 2 are published"):
        Weather().split("train")


def test_an_empty_text_is_refused_but_where_it_was_published(root):
    @dataclass(frozen=True)
    class Terse(Weather):
        may_be_empty = ("text",)

    fill(root)
    (root / "test.csv").write_text("text,label\n ,wet\n")
    assert Terse().split("test")[0].inputs == ("",)
    with pytest.raises(DataError, match=r"test\.csv, line 2: text is empty"):
        Weather().split("test")


def test_a_label_that_is_unknown(root):
    fill(root)
    (root / "test.csv").write_text("text,label\nfog,grey\n")
    with pytest.raises(DataError, match=r"test\.csv, line 2: label is 'grey', which is none of dry, wet"):
        Weather().split("test")


def snapshot(tmp_path, repository="org/weather", commit=COMMIT):
    folder = tmp_path / "hub" / f"datasets--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    made = folder / "snapshots" / commit
    made.mkdir(parents=True, exist_ok=True)
    return made


def write_tables(folder):
    (folder / "small").mkdir(exist_ok=True)
    pq.write_table(pa.table({"text": ["sun"], "label": [0]}), folder / "small" / "train-00000-of-00002.parquet")
    pq.write_table(pa.table({"text": ["rain"], "label": [1]}), folder / "small" / "train-00001-of-00002.parquet")
    pq.write_table(pa.table({"text": ["fog"], "label": [1]}), folder / "small" / "validation-00000-of-00001.parquet")


def test_read_from_the_hub_cache_where_there_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    write_tables(snapshot(tmp_path))
    task = Weather()
    assert task.missing() is None
    assert [(row.inputs, row.target) for row in task.split("train")] == [(("sun",), 0), (("rain",), 1)]
    assert [row.target for row in task.split("test")] == [1]


def test_a_part_that_is_not_here_yet_is_missing(tmp_path, monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    folder = snapshot(tmp_path)
    write_tables(folder)
    (folder / "small" / "train-00001-of-00002.parquet").unlink()
    assert Weather().missing()


def test_fetching_asks_the_hub_for_tables_alone(tmp_path, monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    asked = []

    def download(repository, **options):
        asked.append((repository, options))
        write_tables(snapshot(tmp_path))

    names = ["small/train-00000-of-00002.parquet", "small/train-00001-of-00002.parquet", "large/train.parquet"]
    api = SimpleNamespace(
        dataset_info=lambda *a, **k: SimpleNamespace(sha=COMMIT), list_repo_files=lambda *a, **k: names
    )
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    task = Weather()
    task.fetch()
    task.fetch()
    assert task.missing() is None
    ((repository, options),) = asked
    assert (repository, options["repo_type"], options["revision"]) == ("org/weather", "dataset", "main")
    assert all(pattern.startswith(("small/", "data/small/")) for pattern in options["allow_patterns"])
    assert not any(pattern.endswith(".py") for pattern in options["allow_patterns"])


def test_what_cannot_be_fetched_is_one_line(monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)

    def refuse(*args, **options):
        raise ConnectionError("no route\nto the hub")

    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: SimpleNamespace(dataset_info=refuse))
    with pytest.raises(UsageError, match=r"^hub:org/weather@main cannot be downloaded: no route$"):
        Weather().fetch()


@pytest.mark.parametrize(
    ("path", "config", "is_train"),
    [
        ("data/train-00000-of-00001.parquet", "", True),
        ("train.csv", "", True),
        ("default/train/0000.parquet", "", True),
        ("en/train/0000.parquet", "de", False),
        ("de/train/0000.parquet", "de", True),
        ("data/training.parquet", "", False),
        ("train/other.parquet", "", False),
    ],
)
def test_which_files_are_those_of_a_split(tmp_path, path, config, is_train):
    file = snapshot(tmp_path) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"")
    assert bool(Hub("org/weather", config).files("train")) == is_train


def test_a_branch_cannot_lead_out_of_the_cache(tmp_path):
    (tmp_path / "secret").write_text(COMMIT)
    assert Hub("org/weather", revision="../../../secret").commit() is None
