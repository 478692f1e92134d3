"""Hub data sets as tasks: which tables serve which split, and what a fetch downloads."""

from __future__ import annotations

import json
from fnmatch import fnmatch
from types import SimpleNamespace

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants
from tlbench_data.own import own_task

from tlbench import Answer, Classes, DataError, Span, Text, UsageError
from tlbench.catalog.catalog import Catalog

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class MadeUpHub:
    """One data set: its files, and how many of them can be downloaded before the connection breaks."""

    def __init__(self, cache):
        self.cache, self.names, self.most = cache, ["data/train.parquet", "data/validation.parquet"], 99

    def dataset_info(self, *args, **options):
        return SimpleNamespace(sha=COMMIT)

    def list_repo_files(self, *args, **options):
        return ["README.md", *self.names]

    def download(self, repository, revision, allow_patterns, **options):
        place = self.cache / "datasets--org--data"
        (place / "refs").mkdir(parents=True, exist_ok=True)
        (place / "refs" / "main").write_text(COMMIT)
        wanted = [name for name in self.names if any(fnmatch(name, pattern) for pattern in allow_patterns)]
        for name in wanted[: self.most]:
            path = place / "snapshots" / COMMIT / name
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = [{"text": f"{name} {i}", "label": i % 2} for i in range(20 if "train" in name else 6)]
            pq.write_table(pa.Table.from_pylist(rows), path)
        if len(wanted) > self.most:
            raise ConnectionError("the line broke")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    # One commit has one content, so a task is read once in a process; here it has another content in each test.
    own_task._read.cache_clear()
    hub_server = MadeUpHub(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: hub_server)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub_server.download)
    return hub_server


def named(params=""):
    # A fresh catalog each time: the name is pinned to what the cache holds now.
    return Catalog.discover().task(f"hub:org/data{params}")


def test_a_name_without_a_commit_keeps_it_open_where_the_hub_cannot_be_asked(hub, monkeypatch):
    def offline(*args, **options):
        raise ConnectionError("offline")

    with monkeypatch.context() as patched:
        patched.setattr(hub, "dataset_info", offline)
        task = named().item
        assert task.missing() == "hub:org/data is not in the local hub cache: run `tlbench fetch --task 'hub:org/data'`"
    pinned = f"hub:org/data@{COMMIT}"
    catalog = Catalog.discover()
    assert catalog.task("hub:org/data").ref.name == pinned
    assert catalog.pinned() == {"hub:org/data": pinned}
    with monkeypatch.context() as patched:
        patched.setattr(hub, "dataset_info", offline)
        assert named().ref.name == pinned, "the commit was noted in the cache"


def test_what_was_fetched_is_pinned_and_read(hub):
    before = named().item
    pinned = f"hub:org/data@{COMMIT}"
    assert before.missing() == f"{pinned} is not in the local hub cache: run `tlbench fetch --task '{pinned}'`"
    before.fetch()
    after = named("[test=validation]")
    assert after.ref.name == f"hub:org/data@{COMMIT}[test=validation]"
    assert after.item.missing() is None
    assert after.item.sizes == {"train": 20, "test": 6}
    with pytest.raises(DataError, match="no split 'test'; name one"):
        named().item.output  # noqa: B018
    with pytest.raises(UsageError, match="not a data set name"):
        Catalog.discover().task("hub:../../etc")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("[validation=test]", "validation and test would be the same tables"),
        ("[test=train]", "train and test would be the same tables"),
        ("[train=validation,validation=validation]", "train and validation would be the same tables"),
        ("[test=gone]", "no split 'gone'"),
        ("[train=gone]", "no split 'gone'"),
    ],
)
def test_no_table_serves_two_splits(hub, params, message):
    hub.names.append("data/test.parquet")
    named().item.fetch()
    with pytest.raises(DataError, match=message):
        named(params).item.output  # noqa: B018
    assert named("[train=validation]").item.sizes == {"train": 6, "test": 6}


def test_a_data_set_without_a_training_split(hub):
    hub.names = ["test.parquet"]
    named().item.fetch()
    with pytest.raises(DataError, match="no split 'train'; name one"):
        named().item.output  # noqa: B018


def test_a_configuration_has_to_be_named(hub):
    hub.names = ["en/train.parquet", "en/test.parquet", "old/de/train.parquet", "old/de/test.parquet"]
    with pytest.raises(DataError, match=r"several configurations have train: set \[config=...\] to one of en, old/de$"):
        named().item.fetch()
    with pytest.raises(DataError, match=r"no table of a configuration 'fr' .*; there is en, old/de$"):
        named("[config=fr]").item.fetch()
    assert not (hub.cache / "datasets--org--data" / "snapshots").exists()
    for config in ("en", "old/de"):
        before = named(f"[config={config},test=test]").item
        assert before.missing().endswith(f"[config={config},test=test]'`")
        before.fetch()
        assert {row.inputs[0].split("/t")[0] for row in named(f"[config={config}]").item.split("train")} == {config}
    with pytest.raises(DataError, match="several configurations have train"):
        named().item.output  # noqa: B018


def test_a_fetch_that_was_cut_off_goes_on(hub):
    hub.names, hub.most = ["train.parquet", "test.parquet"], 1
    with pytest.raises(UsageError, match="cannot be downloaded: the line broke"):
        named().item.fetch()
    half = named().item
    with pytest.raises(DataError, match="is not in the local hub cache: run"):
        half.output  # noqa: B018
    hub.most = 99
    half.fetch()
    assert half.missing() is None
    assert half.sizes == {"train": 20, "test": 6}


def test_what_others_brought_is_taken_as_it_is(hub):
    hub.download("org/data", "main", ["*"])
    hub.dataset_info = None
    task = named("[test=validation]").item
    task.fetch()
    assert task.sizes == {"train": 20, "test": 6}


def test_a_test_split_whose_labels_are_not_published(hub):
    hub.names = ["train.parquet", "validation.parquet", "test.parquet"]
    named().item.fetch()
    features = {"info": {"features": {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}}}
    for name in hub.names:
        path = hub.cache / "datasets--org--data" / "snapshots" / COMMIT / name
        written = pq.read_table(path)
        if name == "test.parquet":
            written = written.set_column(1, "label", pa.array([-1] * len(written)))
        pq.write_table(written.replace_schema_metadata({"huggingface": json.dumps(features)}), path)
    with pytest.raises(DataError, match=r"6 without a label .*; \[test=validation\] tests on the validation split"):
        named().item.output  # noqa: B018
    assert named("[test=validation]").item.sizes == {"train": 20, "test": 6}


def write_tables(hub, tables, suffix="parquet"):
    """Puts tables into the cache as a download would, one file for each split."""
    folder = hub.cache / "datasets--org--data" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    (hub.cache / "datasets--org--data" / "refs").mkdir()
    (hub.cache / "datasets--org--data" / "refs" / "main").write_text(COMMIT)
    for split, rows in tables.items():
        path = folder / f"{split}.{suffix}"
        if suffix == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        else:
            path.write_text(rows if isinstance(rows, str) else "".join(f"{json.dumps(row)}\n" for row in rows))


def questions(number, answered=True):
    answers = {"text": ["Oslo"], "answer_start": [6]} if answered else {"text": [], "answer_start": []}
    return [
        {"id": f"q{i}", "title": "t", "context": f"It is Oslo {i}.", "question": "What?", "answers": answers}
        for i in range(number)
    ]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_questions_are_read_as_squad_reads_them(hub, suffix):
    write_tables(hub, {"train": questions(8), "validation": questions(3)}, suffix)
    task = named("[test=validation]").item
    assert (task.output, task.metrics) == (Span(), ("answer_f1", "exact_match"))
    assert task.sizes == {"train": 8, "test": 3}
    assert task.split("test")[0].target == (Answer("Oslo", 6),)
    # A column that is named makes it a table of texts.
    assert named("[test=validation,text=context,label=id,kind=text]").item.output == Text(64)


def test_articles_of_questions(hub):
    article = {"paragraphs": [{"context": "It is Oslo.", "qas": [{"id": "1", "question": "What?", "answers": []}]}]}
    # On another context: questions on one would stay together, and none be left to validate on.
    other = json.loads(json.dumps(article).replace("Oslo", "Rome").replace('"1"', '"3"'))
    whole = json.dumps({"data": [article, other]})
    write_tables(hub, {"train": whole, "test": whole.replace('"1"', '"2"')}, "json")
    assert named().item.sizes == {"train": 2, "test": 2}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("[test=test]", r"test\.parquet: no question has an answer; \[test=validation\] tests on another split"),
        ("[test=validation,drop_missing=true]", "drop_missing= has no effect on questions; leave it out"),
        ("[test=validation,map=a:b]", "map= has no effect on questions"),
    ],
)
def test_questions_that_cannot_be_read_so(hub, params, message):
    write_tables(hub, {"train": questions(8), "validation": questions(3), "test": questions(3, answered=False)})
    with pytest.raises(DataError, match=message):
        named(params).item.output  # noqa: B018


def rows(number, labels=("a", "b")):
    return [{"text": f"text {i}", "label": labels[i % len(labels)]} for i in range(number)]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_hidden_labels_of_a_file_that_does_not_name_its_classes(hub, suffix):
    write_tables(hub, {"train": rows(20, (0, 1)), "validation": rows(6, (0, 1)), "test": rows(5, (-1,))}, suffix)
    with pytest.raises(DataError, match=r"5 without a label .*; \[test=validation\] tests on the validation split"):
        named().item.output  # noqa: B018
    assert named("[test=validation]").item.sizes == {"train": 20, "test": 6}


def test_options_work_on_tables_of_the_hub(hub):
    text = "head;body;y\n" + "".join(f"t{i};b{i};{'abc'[i % 3]}\n" for i in range(30))
    write_tables(hub, {"train": text, "test": text.replace("t", "other t")}, "csv")
    task = named("[text=head+body,label=y,map=a:x+b:x,labels=c+x+z,metric=f1,positive_class=x]").item
    assert task.output == Classes(("c", "x", "z"))
    assert task.output.names[task.positive] == "x"
    assert named("[delimiter=;,text=head+body,label=y]").item.output == Classes(("a", "b", "c"))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("[delimiter=;]", r"train\.parquet: delimiter= is for csv tables; leave it out"),
        ("[encoding=latin-1]", "encoding= is for csv and jsonl tables"),
        ("[max_length=9]", "max_length= is for kind=text"),
    ],
)
def test_options_without_effect_are_refused(hub, params, message):
    write_tables(hub, {"train": rows(20), "test": rows(5)})
    with pytest.raises(DataError, match=message):
        named(params).item.output  # noqa: B018


@pytest.mark.parametrize(
    ("params", "sizes"),
    [
        ("[test=0.2]", {"train": 16, "validation": 6, "test": 4}),
        ("[test=validation,validation=0.1]", {"train": 18, "validation": 2, "test": 6}),
        ("[test=validation,seed=1]", {"train": 16, "validation": 4, "test": 6}),
    ],
)
def test_shares_of_a_data_set(hub, params, sizes):
    named().item.fetch()
    assert named(params).item.sizes == sizes


def test_a_share_of_a_split_that_the_data_set_has(hub):
    named().item.fetch()
    with pytest.raises(DataError, match=r"validation=0.1 takes validation from the training rows"):
        named("[validation=0.1,test=0.2]").item.output  # noqa: B018


@pytest.mark.parametrize("params", ["[time=when]", "[group=context]"])
def test_groups_and_times_of_questions(hub, params):
    write_tables(hub, {"train": questions(8), "test": questions(3)})
    assert "groups whole" not in named().item.description
    with pytest.raises(DataError, match=r"has no effect on questions, whose groups are those of group=title"):
        named(params).item.output  # noqa: B018
