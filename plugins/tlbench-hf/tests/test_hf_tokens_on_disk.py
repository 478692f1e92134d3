"""Cached token rows equal uncached ones, and are computed once for all processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tlbench_hf.text import tokenizing as tokens
from tlbench_hf.text.tokenizing import TokenRow, TokenRows, featurize

from tlbench import Classes, Example, Examples
from tlbench.modeling.disk import cache_folder as disk_folder
from tlbench.modeling.disk import disk_cache

OUTPUT = Classes(("no", "yes"))
WORDS = "a the cat dog sat ran on mat road and then it was so very far away".split()


@pytest.fixture(params=["one text", "two texts", "without special tokens"])
def case(request, tmp_path: Path, bert_folder: Path, tokenizer_files: Callable[..., None]) -> tuple[Path, Examples]:
    """A folder with a tokenizer, and examples that are enough to be worth keeping."""
    if request.param == "without special tokens":
        tokenizer_files(bert_folder, bare=True)
    texts = [" ".join(WORDS[: i % 17]) for i in range(tokens.CACHED_FROM)]
    pairs = [(text, "it was far") if request.param == "two texts" else (text,) for text in texts]
    return bert_folder, Examples(Example(str(i), inputs, i % 2) for i, inputs in enumerate(pairs))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Returns a list that grows with each tokenising."""
    seen: list[int] = []
    arrays = tokens._arrays
    monkeypatch.setattr(tokens, "_arrays", lambda *a: (seen.append(1), arrays(*a))[1])
    return seen


def _another_process() -> None:
    disk_cache._shared.clear()


def _equal(one: TokenRow, other: TokenRow) -> bool:
    types = [row.types for row in (one, other)]
    same_types = types[0] is types[1] is None or (types[0].dtype == types[1].dtype and np.array_equal(*types))
    return one.ids.dtype == other.ids.dtype == np.int32 and np.array_equal(one.ids, other.ids) and same_types


def test_tokens_are_the_same_with_and_without_a_cache(case, cache: Path, monkeypatch, made: list[int]) -> None:
    folder, examples = case
    special = tokens.load_tokenizer(folder).library.num_special_tokens_to_add(pair=len(examples[0].inputs) == 2)

    def tokens_of(example: Example) -> int:
        # The vocabulary is of whole words.
        return special + sum(len(text.split()) for text in example.inputs)

    monkeypatch.setenv("TLBENCH_CACHE_LIMIT", "0")
    without = featurize(examples, OUTPUT, folder, 12)
    assert not cache.exists()
    monkeypatch.setenv("TLBENCH_CACHE_LIMIT", "1GiB")
    first = featurize(examples, OUTPUT, folder, 12)
    _another_process()
    again = featurize(examples, OUTPUT, folder, 12)
    assert len(made) == 2, "once without the cache and once for it"
    for data in (first, again):
        assert isinstance(data.rows[0], TokenRow)
        assert all(_equal(a, b) for a, b in zip(data.rows, without.rows, strict=True))
        assert data.lengths.tolist() == without.lengths.tolist() == [len(row.ids) for row in data.rows]
        assert data.fingerprint == without.fingerprint
        assert data.truncated.tolist() == without.truncated.tolist() == [tokens_of(e) > 12 for e in examples]
        assert min(data.lengths) >= 1
    batch, expected = again.batch([5, 1, 16]), without.batch([5, 1, 16])
    assert batch.keys() == expected.keys()
    assert all(batch[name].equal(expected[name]) for name in batch)
    assert [entry.kind for entry in disk_folder.entries(cache)] == ["tokens"]


def test_other_examples_lengths_and_tokenizers_are_other_tokens(
    bert_folder: Path, tokenizer_files: Callable[..., None], cache: Path, made: list[int]
) -> None:
    examples = Examples(Example(str(i), ("the cat sat",), 0) for i in range(tokens.CACHED_FROM))
    featurize(examples, OUTPUT, bert_folder, 12)
    featurize(examples, OUTPUT, bert_folder, 4)
    featurize(examples.take(range(1, len(examples))), OUTPUT, bert_folder, 12)
    assert len(made) == 3
    assert len(disk_folder.entries(cache)) == 2, "too few examples are not worth a file"
    tokenizer_files(bert_folder, bare=True)
    tokens.load_tokenizer.cache_clear()
    bare = featurize(examples, OUTPUT, bert_folder, 12)
    assert bare.lengths[0] == 3
    assert len(made) == 4


def test_rows_are_views_and_not_copies(bert_folder: Path, cache: Path) -> None:
    examples = Examples(Example(str(i), ("the cat sat",), 0) for i in range(tokens.CACHED_FROM))
    rows = featurize(examples, OUTPUT, bert_folder, 12).rows
    assert isinstance(rows, TokenRows)
    assert np.shares_memory(rows[3].ids, rows.arrays["ids"])
    assert [row.ids.tolist() for row in rows[1:3]] == [rows[1].ids.tolist(), rows[2].ids.tolist()]
    assert rows[-1].ids.tolist() == rows[len(rows) - 1].ids.tolist()
    with pytest.raises(IndexError):
        rows[len(rows)]
