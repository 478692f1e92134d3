"""Static word vectors: files, splitting into words, and the backbone."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tlbench_words.plugin import tlbench_resolve
from tlbench_words.splitting import Splitter
from tlbench_words.vector_files import load_vectors, read_header

from tlbench import (
    Classes,
    DataError,
    Example,
    Examples,
    MultiLabel,
    PluginError,
    Scalar,
    Span,
    TokenClasses,
    UsageError,
)
from tlbench.modeling.heads import new_head
from tlbench.testing.agreement import sum_error
from tlbench.testing.conformance.backbone import BackboneConformance
from tlbench.testing.conformance.inputs import WORDS

WIDTH = 5


def rows_of(words, width=WIDTH, seed=0):
    numbers = np.random.default_rng(seed).normal(size=(len(words), width))
    return [f"{word} {' '.join(f'{value:.4f}' for value in row)}" for word, row in zip(words, numbers, strict=True)]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    load_vectors.cache_clear()


@pytest.fixture
def write(tmp_path: Path):
    def write(rows, name="vectors.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(rows if isinstance(rows, bytes) else ("\n".join(rows) + "\n").encode())
        return path

    return write


def resolve(path, **fields):
    backbone = tlbench_resolve("backbone", f"words:{path}")
    return dataclasses.replace(backbone, **fields)


class TestWordVectors(BackboneConformance):
    # a row is a mean of numbers that are mostly below 2, whose sum may begin elsewhere among padding
    padding_tolerance = sum_error(17, 17 * 2.0) / 17

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def backbone_of_a_file(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.mktemp("vectors") / "vectors.txt"
        path.write_text("\n".join(rows_of(WORDS)) + "\n")
        cls.backbone = resolve(path)


def test_names_of_others_are_left_to_them():
    assert tlbench_resolve("task", "words:x.txt") is None
    assert tlbench_resolve("backbone", "hf:org/name") is None


def test_a_file_of_vectors_without_the_scheme_is_suggested_with_it():
    from tlbench.catalog.catalog import Catalog

    with pytest.raises(UsageError, match=r"did you mean words:vectors/glove\.6B\.100d\.txt\?"):
        Catalog.discover().backbone("vectors/glove.6B.100d.txt")


def test_glove_and_word2vec_write_the_same_table(write):
    rows = rows_of(["the", "cat", ". . .", "état"])
    glove = write(rows)
    word2vec = write([f"4 {WIDTH}", *(f"{row} " for row in rows)], "vectors.vec")
    expected = np.array([[float(value) for value in row.split(" ")[-WIDTH:]] for row in rows], dtype=np.float32)
    for path in (glove, word2vec):
        vectors = load_vectors(path, read_header(path).digest)
        assert vectors.vocabulary == {"the": 1, "cat": 2, ". . .": 3, "état": 4}
        assert np.array_equal(vectors.table[1:], expected)
        assert not vectors.table[0].any()


def test_only_line_feeds_and_spaces_divide(write):
    path = write(["a\u00a0b 1 2", "c\u0085d 3 4", "e 5 6"])
    assert list(load_vectors(path, read_header(path).digest).vocabulary) == ["a\u00a0b", "c\u0085d", "e"]


BROKEN = {
    "a column too few": (["the 1 2 3", "cat 1 2"], r"row 2: 2 numbers where 3 are expected"),
    "a column too many": (["the 1 2 3", "cat 1 2 3 4"], r"row 2: 4 numbers where 3 are expected"),
    "an empty row": (["the 1 2 3", "", "cat 1 2 3"], r"row 2: 0 numbers where 3 are expected"),
    "no number": (["the 1 2 3", "cat 1 x 3"], r"row 2: 'x' is not a number"),
    "not finite": (["the 1 2 3", "cat 1 nan 3"], r"row 2: a number is not finite"),
    "not finite below a heading": (["2 3", "the 1 2 3", "cat 1 inf 3"], r"row 3: a number is not finite"),
    "twice": (["the 1 2 3", "cat 1 2 3", "the 1 2 3"], r"row 3: 'the' is in row 1 already"),
    "no word": (["the 1 2 3", " 1 2 3"], r"row 2: no word before"),
    "a wrong header": (["3 3", "the 1 2 3", "cat 1 2 3"], r"row 1 declares 3 words, but the file has 2"),
    "a header alone": (["0 3"], r"has a header but no words"),
    "a text": (["it was a dark night", "and so on"], r"row 1: neither a word with its vector"),
    "nothing": (b"", r"row 1: neither a word with its vector"),
    "not UTF-8": (b"the 1 2 3\nc\xe4t 1 2 3\n", r"row 2: 'c\\\\xe4t' is not UTF-8"),
    "binary": (b"3000000 300\n</s> \x8d\xc3\x91\x01\x00", r"row 2: 1 numbers where 300 are expected"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_one_line_with_its_row(write, case):
    content, message = BROKEN[case]
    path = write(content)
    with pytest.raises(DataError, match=message) as raised:
        resolve(path).load()
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_columns_are_counted_before_anything_runs(write):
    with pytest.raises(DataError, match="row 3: 2 numbers where 3 are expected"):
        tlbench_resolve("backbone", f"words:{write(['the 1 2 3', 'cat 1 2 3', 'dog 1 2'])}")


def test_a_file_s_name_pins_its_content(write):
    path = write(rows_of(["the", "cat"]))
    backbone = resolve(path)
    assert backbone.name == f"words:{path}@{backbone.revision}"
    assert tlbench_resolve("backbone", backbone.name) == backbone
    assert backbone.card().on_disk
    write(rows_of(["the", "cat"], seed=1))
    os.utime(path, (1, 1))
    assert resolve(path).revision != backbone.revision
    assert not backbone.card().on_disk
    for use in (lambda: tlbench_resolve("backbone", backbone.name), backbone.load):
        with pytest.raises(UsageError, match=r"digest is now \w{12}"):
            use()
    path.unlink()
    with pytest.raises(UsageError, match="no such file"):
        tlbench_resolve("backbone", backbone.name)


def test_the_numbers_are_kept_and_read_again_without_the_rows(write, monkeypatch):
    path = write(rows_of(["the", "cat"]))
    first = resolve(path).load()
    load_vectors.cache_clear()
    monkeypatch.setattr("tlbench_words.vector_files.read_vectors", lambda *_: pytest.fail("parsed twice"))
    again = resolve(path).load()
    assert torch.equal(again.native.embedding.weight, first.native.embedding.weight)
    with torch.no_grad():
        again.native.embedding.weight.zero_()
    load_vectors.cache_clear()
    assert torch.equal(resolve(path).load().native.embedding.weight, first.native.embedding.weight)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The cat, sat!", ["the", "cat", ",", "sat"]),
        ("a zebra sat", ["sat"]),
        ("don't", ["do", "n't"]),
        ("it\u2019s", ["it", "'s"]),
        ("well-known well-fed", ["well-known", "well"]),
        ("U.S. CAT", ["u.s", "cat"]),
        ("", []),
    ],
)
def test_texts_are_split_as_the_table_was_made(write, text, found):
    words = ["the", "cat", ",", "sat", "do", "n't", "it", "'s", "well", "well-known", "u.s"]
    path = write(rows_of(words))
    vectors = load_vectors(path, read_header(path).digest)
    assert vectors.lower
    assert [words[row - 1] for row in Splitter(vectors).text(text)] == found


def test_a_table_with_capitals_is_asked_for_them_first(write):
    path = write(rows_of(["Paris", "paris", "cat"]))
    splitter = Splitter(load_vectors(path, read_header(path).digest))
    assert splitter.text("Paris paris PARIS Cat") == [1, 2, 2, 3]


def test_the_readout_is_the_mean_of_the_known_words(write):
    path = write(rows_of(["the", "cat", "sat"]))
    backbone = resolve(path)
    encoder = backbone.load()
    table = encoder.native.embedding.weight.detach()
    examples = Examples([Example("0", ("The zebra sat",), 0), Example("1", ("zebra",), 1), Example("2", ("",), 1)])
    for output in (Classes(("no", "yes")), MultiLabel(("a", "b")), Scalar()):
        data = backbone.featurize(examples, output)
        with torch.no_grad():
            pooled = encoder.pool(encoder(data.batch(range(3))))
        assert torch.equal(pooled[0], (table[1] + table[3]) / 2), "a sum of two rounds but once"
        assert not pooled[1:].any(), "a text without a known word is zero"


def test_the_longer_text_of_a_pair_is_cut_first(write):
    backbone = resolve(write(rows_of(["a", "b"])), max_length=6)
    pairs = [("a a a", "b b b"), ("a", "b b b b b b b b"), ("a a a a a a a a", "b"), ("a a a a a a", "b b b b b b")]
    examples = Examples(Example(str(i), pair, 0.0) for i, pair in enumerate(pairs))
    data = backbone.featurize(examples, Scalar())
    assert data.truncated.tolist() == [False, True, True, True]
    rows = [row.tolist() for row in data.rows]
    assert rows == [[1, 1, 1, 2, 2, 2], [1, 2, 2, 2, 2, 2], [1, 1, 1, 1, 1, 2], [1, 1, 1, 2, 2, 2]]
    with pytest.raises(UsageError, match="at least 2 words"):
        resolve(backbone.source, max_length=1)


def test_every_word_of_a_sentence_has_a_place(write):
    backbone = resolve(write(rows_of(["the", "cat", "do", "n't"])))
    examples = Examples(
        [Example("0", (("The", "zebra", "don't", "cat"),), (0, 1, 0, 0)), Example("1", (("x",),), (1,))]
    )
    data = backbone.featurize(examples, TokenClasses(("O", "B-ANIMAL")))
    assert [row.tolist() for row in data.rows] == [[1, 0, 3, 4, 2], [0]]
    assert [places.tolist() for places in data.alignment] == [[0, 1, 2, -1, 3], [0]]
    assert data.take([1]).alignment[0].tolist() == [0]
    encoder = backbone.load()
    head = new_head(backbone, TokenClasses(("O", "B-ANIMAL")), encoder)
    with torch.no_grad():
        predictions = head.eval().merge([head.decode(encoder, data.batch(range(2)))], data)
    assert [len(tags) for tags in predictions.values] == [4, 1]


def test_what_words_cannot_do_is_refused(write):
    backbone = resolve(write(rows_of(["the"])))
    assert "cannot predict Span" in backbone.supports(Span())
    assert backbone.supports(Scalar()) is None
    with pytest.raises(PluginError, match="cannot predict Span"):
        backbone.featurize(Examples([Example("0", ("the", "the"))]), Span())
    with pytest.raises(PluginError, match="one or two texts"):
        backbone.featurize(Examples([Example("0", (("the",),))]), Scalar())
    with pytest.raises(PluginError, match="one tuple of words"):
        backbone.featurize(Examples([Example("0", ("the",))]), TokenClasses(("O",)))


def test_looking_is_light(write):
    path = write(rows_of(["the", "cat"]))
    code = (
        "import sys; from tlbench.cli.app import _main\n"
        f"status = _main(['show', 'words:{path}'])\n"
        "print(status, sorted({'torch', 'numpy'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "0 []"
    assert "static" in shown
