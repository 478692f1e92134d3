"""Tags of words in own files: the schemes that are read, and the stops where a reading would be a guess."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tlbench import DataError, TokenClasses, UsageError
from tlbench.catalog.catalog import Catalog
from tlbench.metrics.builtin.tagging import entities_of

WORDS = ("Bob", "Miller", "went", "to", "New", "Oslo", "and", "Kyiv", "on")
BIO = ("B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC", "O", "B-LOC", "O")
NAMES = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
ENTITIES = {("PER", 0, 1), ("LOC", 4, 5), ("LOC", 7, 7)}
INT_NAMES = "O+B-PER+I-PER+B-LOC+I-LOC"
ENTITY_METRICS = ("entity_f1", "entity_precision", "entity_recall", "accuracy")


def sentences(tags, size=20, first=0):
    """Returns a CoNLL text with these tags in every sentence."""
    rows = ((*WORDS[:-1], f"day{i}") for i in range(first, first + size))
    return "".join("".join(f"{w} {t}\n" for w, t in zip(row, tags, strict=True)) + "\n" for row in rows)


def conll_task(path, text, params=""):
    path.write_text(text, encoding="utf-8")
    return Catalog.discover().task(f"conll:{path}{params}").item


def lines_task(path, rows, params=""):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Catalog.discover().task(f"jsonl:{path}{params}").item


def tags_of(task, example):
    return tuple(task.output.names[index] for index in example.target)


@pytest.mark.parametrize(
    ("tags", "note"),
    [
        ("B-PER E-PER O O B-LOC E-LOC O S-LOC O", "IOBES tags are read as BIO (E-LOC as I-LOC)"),
        ("B-PER L-PER O O B-LOC L-LOC O U-LOC O", "BILOU tags are read as BIO (L-LOC as I-LOC)"),
        ("B-PER E-PER O O B-LOC M-LOC O S-LOC O", None),
        ("I-PER I-PER O O I-LOC I-LOC O I-LOC O", "IOB1 tags are read as BIO (I-LOC as B-LOC)"),
        ("PER-B PER-I O O LOC-B LOC-I O LOC-B O", "tags are read as BIO (LOC-B as B-LOC)"),
        ("B_PER I_PER O O B_LOC I_LOC O B_LOC O", "tags are read as BIO (B_LOC as B-LOC)"),
        ("PER_B PER_E O O LOC_B LOC_E O LOC_S O", "IOBES tags are read as BIO (LOC_E as I-LOC)"),
    ],
)
def test_schemes_of_tags_become_bio(tmp_path, tags, note):
    task = conll_task(tmp_path / "a.conll", sentences(tags.split()))
    if note is None:
        with pytest.raises(DataError, match="look like BMES, but 20 of 100 are out of order: set tag_scheme=bmes"):
            task.output  # noqa: B018
        return
    assert task.output == TokenClasses(NAMES)
    assert task.metrics == ENTITY_METRICS
    assert task.description.endswith(f"; {note}")
    for split in ("train", "validation", "test"):
        assert all(tags_of(task, example) == BIO for example in task.split(split))


def test_neighbours_of_one_type_stay_apart(tmp_path):
    # B of IOB1 separates neighbours; a new entity after E or S needs none.
    for name, tags in (
        ("iob1", "I-A B-A I-A O I-A I-B I-B O O"),
        ("iobes", "S-A B-A E-A O S-A B-B E-B O O"),
        ("loose", "S-A I-A E-A O S-A B-B E-B O O"),
    ):
        params = "[tag_scheme=iobes]" if name == "loose" else ""
        task = conll_task(tmp_path / f"{name}.conll", sentences(tags.split()), params)
        assert tags_of(task, task.split("test")[0]) == ("B-A", "B-A", "I-A", "O", "B-A", "B-B", "I-B", "O", "O")


def test_bio_stays_as_it_is(tmp_path):
    task = conll_task(tmp_path / "a.conll", sentences(BIO))
    assert task.output == TokenClasses(NAMES)
    assert "read as" not in task.description
    # Computed before other schemes were known: records of such tasks stay valid.
    assert task.split("train").fingerprint == "52ae47eb071f4773"
    assert task.split("test").fingerprint == "a555bb8bec113f87"
    # An I that follows no entity is no sign of IOB1 where others begin with B.
    stray = [*BIO[:-2], "I-LOC", "O"]
    kept = conll_task(tmp_path / "b.conll", sentences(BIO) + sentences(stray, first=20))
    assert {tags_of(kept, example) for example in kept.split("train")} == {BIO, tuple(stray)}


def test_bio_without_types(tmp_path):
    task = conll_task(tmp_path / "a.conll", sentences([tag[0] for tag in BIO]))
    assert task.output == TokenClasses(("O", "B", "I"))
    assert task.metrics == ENTITY_METRICS
    assert entities_of(tags_of(task, task.split("test")[0])) == {("", 0, 1), ("", 4, 5), ("", 7, 7)}
    begins = conll_task(tmp_path / "c.conll", sentences("B O O O B O O B O".split()))
    assert (begins.output.names, begins.metrics) == (("O", "B"), ENTITY_METRICS)
    segmented = conll_task(tmp_path / "b.conll", sentences("B E S S B M E S S".split()))
    assert tags_of(segmented, segmented.split("test")[0]) == tuple("BIBBBIIBB")


def test_tags_that_mark_no_begin_are_asked_about(tmp_path):
    path, text = tmp_path / "a.conll", sentences([tag[2:] or "O" for tag in BIO])
    with pytest.raises(DataError, match=r"the tags O, LOC, PER do not mark .* tag_scheme=io .* or tag_scheme=plain"):
        conll_task(path, text).output  # noqa: B018
    task = conll_task(path, text, "[tag_scheme=io]")
    assert entities_of(tags_of(task, task.split("test")[0])) == ENTITIES
    assert "IO tags are read as BIO (LOC as B-LOC)" in task.description
    plain = conll_task(path, text, "[tag_scheme=plain]")
    assert (plain.output.names, plain.metrics) == (("O", "LOC", "PER"), ("accuracy",))


@pytest.mark.parametrize(
    ("tags", "params", "message"),
    [
        ("PER PER O O LOC LOC O LOC O", "[tag_scheme=plain,metric=entity_f1]", "metric=entity_f1 needs tags of entiti"),
        (
            "A B C A B C A B C",
            "[metric=entity_recall]",
            "tags of entities, such as B-PER; here there is accuracy",
        ),
        ("B-PER I-PER O O B-LOC X O [PAD] O", "", r"most tags are of the BIO scheme, but X, \[PAD\] are not: correct"),
        ("B-PER I-PER O O B-LOC I-LOC O B-LOC O", "[tag_scheme=bilou,names=O+X]", "names= is for numbered tags"),
        ("B-PER E-PER O O S-A O O O O", "[tag_scheme=bilou]", "tag_scheme=bilou does not fit the tags B-PER, E-PER"),
        ("B-PER I-PER O O B-LOC I-LOC O B-LOC O", "[tag_scheme=io]", "tag_scheme=io does not fit the tags B-LOC"),
        ("B-PER I-PER O O B-LOC I-LOC O B-LOC O", "[labels=O+B-PER+I-PER]", r"labels= lacks B-LOC, I-LOC"),
    ],
)
def test_readings_that_do_not_fit(tmp_path, tags, params, message):
    with pytest.raises(DataError, match=message):
        conll_task(tmp_path / "a.conll", sentences(tags.split()), params).output  # noqa: B018


def test_a_scheme_that_only_the_test_has(tmp_path):
    (tmp_path / "test.conll").write_text(sentences(BIO, 3))
    (tmp_path / "train.conll").write_text(sentences("B-PER L-PER O O B-LOC L-LOC O U-LOC O".split()))
    assert Catalog.discover().task(f"conll:{tmp_path}").item.sizes == {"train": 20, "test": 3}
    (tmp_path / "test.conll").write_text(sentences("B-PER E-PER O O B-LOC E-LOC O S-LOC O".split(), 3))
    with pytest.raises(DataError, match=r"test\.conll, line 1: tags has 'E-PER', but the training rows have .* BILOU"):
        Catalog.discover().task(f"conll:{tmp_path}").item.output  # noqa: B018


def test_a_tag_that_only_the_test_has(tmp_path):
    (tmp_path / "train.conll").write_text(sentences(BIO))
    (tmp_path / "test.conll").write_text(sentences(BIO, 2) + "Law B-LAW\nAct I-LAW\n")
    declared = "[labels=O+B-LAW+I-LAW+B-LOC+I-LOC+B-PER+I-PER]"
    with pytest.raises(DataError) as caught:
        Catalog.discover().task(f"conll:{tmp_path}").item.output  # noqa: B018
    assert str(caught.value).endswith(
        f"test.conll, line 21: tags has 'B-LAW', which no training row has; declare all tags: {declared}"
    )
    task = Catalog.discover().task(f"conll:{tmp_path}{declared}").item
    assert task.output.names == ("O", "B-LAW", "I-LAW", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert tags_of(task, task.split("test")[2]) == ("B-LAW", "I-LAW")


def test_declared_tags_in_another_scheme(tmp_path):
    tags = "I-PER I-PER O O I-LOC I-LOC O I-LOC O".split()
    task = conll_task(tmp_path / "a.conll", sentences(tags), "[labels=O+I-PER+I-LOC+I-LAW]")
    assert task.output.names == ("O", "B-LAW", "I-LAW", *NAMES[1:])
    assert "IOB1" in task.description


def numbered(size=20):
    order = INT_NAMES.split("+")
    return [{"tokens": [*WORDS[:-1], f"day{i}"], "ner_tags": [order.index(tag) for tag in BIO]} for i in range(size)]


def test_numbered_tags_need_names(tmp_path):
    path = tmp_path / "a.jsonl"
    with pytest.raises(DataError, match=r"line 1: ner_tags has the numbers 0 to 4: name them in their order, as \["):
        lines_task(path, numbered()).output  # noqa: B018
    task = lines_task(path, numbered(), f"[names={INT_NAMES}+B-LAW]")
    assert task.output.names == ("O", "B-LAW", *NAMES[1:])
    assert tags_of(task, task.split("test")[0]) == BIO
    plain = lines_task(path, numbered(), "[tag_scheme=plain]")
    assert (plain.output.names, plain.metrics) == (("0", "1", "2", "3", "4"), ("accuracy",))
    with pytest.raises(DataError, match="line 1: ner_tags has the number 3, but names= has names of 0 to 2"):
        lines_task(path, numbered(), "[names=O+B-PER+I-PER]").output  # noqa: B018
    with pytest.raises(DataError, match="line 21: ner_tags has 'x' among numbers"):
        lines_task(path, [*numbered(), {"tokens": ["a"], "ner_tags": ["x"]}], f"[names={INT_NAMES}]").output  # noqa: B018
    digits = [" ".join(map(str, numbered(1)[0]["ner_tags"]))][0].split()
    named = conll_task(tmp_path / "a.conll", sentences(digits), f"[names={INT_NAMES}]")
    assert tags_of(named, named.split("test")[0]) == BIO


@pytest.mark.parametrize("of_list", [lambda item: {"feature": item, "_type": "Sequence"}, lambda item: [item]])
def test_names_in_the_features_of_a_file(tmp_path, of_list):
    features = {"ner_tags": of_list({"names": INT_NAMES.split("+"), "_type": "ClassLabel"})}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(pa.Table.from_pylist(numbered()).replace_schema_metadata(metadata), tmp_path / "a.parquet")
    task = Catalog.discover().task(f"parquet:{tmp_path / 'a.parquet'}").item
    assert task.output == TokenClasses(NAMES)
    assert tags_of(task, task.split("test")[0]) == BIO


def test_rows_without_words(tmp_path):
    rows = [{"tokens": [*WORDS[:-1], f"day{i}"], "ner_tags": BIO} for i in range(20)]
    rows += [{"tokens": [], "ner_tags": []}, {"tokens": ["a"], "ner_tags": None}]
    path = tmp_path / "a.jsonl"
    with pytest.raises(DataError, match=r"line 21: this row and 1 others have no words or no tags: .* drop_missing="):
        lines_task(path, rows).output  # noqa: B018
    with pytest.raises(DataError, match="line 21: this row has no words or no tags"):
        lines_task(path, rows[:-1]).output  # noqa: B018
    task = lines_task(path, rows, "[drop_missing=true]")
    assert sum(task.sizes.values()) == 20
    assert task.description.endswith("; 2 rows without words or tags left out")
    assert "; 1 row without" in lines_task(path, rows[:-1], "[drop_missing=true]").description
    with pytest.raises(DataError, match="no row has words and tags"):
        lines_task(path, rows[-2:], "[drop_missing=true]").output  # noqa: B018


@pytest.mark.parametrize("span", [[0, 10, "PER"], {"start": 0, "end": 10, "label": "PER"}])
def test_stretches_of_a_text_are_not_labels(tmp_path, span):
    rows = [{"text": f"Bob Miller went to New Oslo on day{i}", "label": [span] if i else []} for i in range(20)]
    for params in ("", "[kind=multilabel]"):
        with pytest.raises(DataError, match=r"line 2: label is .*, which looks like a stretch of the text: tags are"):
            lines_task(tmp_path / "a.jsonl", rows, params).output  # noqa: B018


def test_options_that_mean_nothing_are_refused(tmp_path):
    rows = [{"text": f"t{i}", "label": "ab"[i % 2]} for i in range(20)]
    with pytest.raises(DataError, match="tag_scheme= is for tags of words, not for kind=classes; leave it out"):
        lines_task(tmp_path / "a.jsonl", rows, "[tag_scheme=bio]").output  # noqa: B018
    for params in ("column=1", "comments=drop"):
        with pytest.raises(UsageError, match="jsonl: does not use"):
            lines_task(tmp_path / "a.jsonl", rows, f"[{params}]")
    with pytest.raises(UsageError, match="tag_scheme=bioes: choose bio, iob1, iobes, bmes, bilou, io, plain"):
        lines_task(tmp_path / "a.jsonl", rows, "[tag_scheme=bioes]")
