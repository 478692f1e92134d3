"""Tokenised sentences as token rows: every word is aligned once, where most of its context is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tokenizers
import transformers
from tlbench_hf.plugin import tlbench_backbones
from tlbench_hf.sources import fetched_folder
from tlbench_hf.text import tokenizing as tokens
from tlbench_hf.text import windows
from tlbench_hf.text.word_rows import featurize

from tlbench import Example, Examples, PluginError, TokenClasses, UsageError
from tlbench.modeling.disk import disk_cache
from tlbench.modeling.heads import TokenHead

MINILM = next(backbone for backbone in tlbench_backbones() if backbone.name == "minilm-l6")
OUTPUT = TokenClasses(("O", "B-x", "I-x"))
SENTENCES = [
    "EU rejects German call to boycott British lamb .".split(),
    "@paulwalk It 's the view from where I 'm living for two weeks . Empire State Building = ESB .".split(),
    ["naïve", "Zürich", "日本語", "2,5%", "http://t.co/x_y", "don't", "!!!", "a"],
    ["one"],
]


@pytest.fixture(scope="module")
def folder() -> Path:
    return fetched_folder(MINILM.source, MINILM.revision)


def sentences(*lists: list[str]) -> Examples:
    tagged = ((tuple(words), tuple(len(word) % 3 for word in words)) for words in lists)
    return Examples(Example(str(i), (words,), tags) for i, (words, tags) in enumerate(tagged))


def test_tokens_and_targets_are_those_of_transformers_token_classification(folder: Path):
    library = tokens.load_tokenizer(folder).library
    data = featurize(sentences(*SENTENCES), folder, 128)
    targets = TokenHead(4, OUTPUT).targets(data)
    assert data.owners.tolist() == [0, 1, 2, 3]
    for row, words in enumerate(SENTENCES):
        encoded = library(words, is_split_into_words=True)
        assert data.rows[row].ids.tolist() == encoded["input_ids"]
        before, expected = None, []
        for word in encoded.word_ids():
            expected.append(-100 if word is None or word == before else len(words[word]) % 3)
            before = word
        assert targets[row, : len(expected)].tolist() == expected
        assert (targets[row, len(expected) :] == -100).all()


def test_words_of_a_long_sentence_count_in_the_window_that_shows_most_around_them(folder: Path):
    draw = np.random.default_rng(0)
    vocabulary = ["unbelievably", "a", "cat", "antidisestablishmentarianism", "runs", "!", "日本"]
    lists = [draw.choice(vocabulary, size).tolist() for size in (200, 1, 31)]
    data = featurize(sentences(*lists), folder, 24)
    shown: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    library = tokens.load_tokenizer(folder).library
    for owner, words in enumerate(lists):
        rows = np.flatnonzero(data.owners == owner)
        encoded = library(
            words, is_split_into_words=True, truncation=True, max_length=24, stride=6, return_overflowing_tokens=True
        )
        assert [data.rows[row].ids.tolist() for row in rows] == encoded["input_ids"]
        begun: set[int] = set()
        whole = library(words, is_split_into_words=True, add_special_tokens=False)
        first_of = {word: whole.word_ids().index(word) for word in range(len(words))}
        at = 0
        for number, row in enumerate(rows):
            ids = encoded.word_ids(number)
            inside = [place for place, word in enumerate(ids) if word is not None]
            for place in inside:
                token = at + place - inside[0]
                if first_of[ids[place]] == token:
                    context = min(place, len(ids) - 1 - place)
                    shown.setdefault((owner, ids[place]), []).append((-context, int(row), place))
            at += len(inside) - 6
            begun |= {ids[place] for place in inside}
        assert begun == set(range(len(words)))
    found = {
        (int(owner), int(word)): (row, place)
        for row, (owner, alignment) in enumerate(zip(data.owners, data.alignment, strict=True))
        for place, word in enumerate(alignment)
        if word >= 0
    }
    assert found == {key: min(places)[1:] for key, places in shown.items()}
    assert len(found) == 232
    assert any(len(places) > 1 for places in shown.values())


def test_words_that_vanish_in_the_tokenizer_are_left_to_the_head(folder: Path):
    data = featurize(sentences(["\u200b", "x", "\ufe0f", "y"], ["\u200b"]), folder, 16)
    assert [row[row >= 0].tolist() for row in data.alignment] == [[1, 3], []]
    head = TokenHead(4, OUTPUT)
    assert (head.targets(data)[1] == -100).all()


def byte_level(folder: Path) -> None:
    """A byte-level vocabulary as GPT-2's, in which a space belongs to the word behind it."""
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<end>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([" ".join(words) for words in SENTENCES] * 3, trainer)
    backend.post_processor = tokenizers.processors.ByteLevel(trim_offsets=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>").save_pretrained(folder)
    config = transformers.GPT2Config(vocab_size=400, n_positions=64, bos_token_id=0, eos_token_id=0)
    config.save_pretrained(folder)


def test_byte_level_words_have_the_space_that_they_have_in_a_text(tmp_path: Path):
    byte_level(tmp_path)
    library = tokens.load_tokenizer(tmp_path).library
    data = featurize(sentences(*SENTENCES), tmp_path, 64)
    for row, words in enumerate(SENTENCES):
        assert data.rows[row].ids.tolist() == library(" ".join(words))["input_ids"]
        places = np.flatnonzero(data.alignment[row] >= 0)
        assert data.alignment[row][places].tolist() == list(range(len(words)))
        ends = [*places[1:].tolist(), len(data.rows[row].ids)]
        pieces = [library.decode(data.rows[row].ids[a:b].tolist()) for a, b in zip(places, ends, strict=True)]
        assert pieces == [words[0], *(f" {word}" for word in words[1:])]


def test_inputs_that_are_no_words_and_rows_without_room_are_refused(folder: Path):
    with pytest.raises(PluginError, match="one tuple"):
        featurize(Examples([Example("a", ("a text",), (0,))]), folder, 16)
    with pytest.raises(UsageError, match="max_length is 2"):
        featurize(sentences(["one"]), folder, 2)


def test_words_are_kept_on_disk_with_their_alignment(folder: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[int] = []
    original = windows.windows
    monkeypatch.setattr("tlbench_hf.text.word_rows.windows", lambda *a: (made.append(1), original(*a))[1])
    examples = sentences(*(SENTENCES[i % 2] + ["cat"] * (i % 30) for i in range(windows.CACHED_FROM)))
    first = featurize(examples, folder, 24)
    disk_cache._shared.clear()
    again = featurize(examples, folder, 24)
    assert len(made) == 1
    assert again.fingerprint == first.fingerprint
    assert again.owners.tolist() == first.owners.tolist()
    assert len(again) > len(examples)
    assert not again.truncated.any()
    assert len(again.truncated) == len(examples)
    for row in range(len(first)):
        assert np.array_equal(again.rows[row].ids, first.rows[row].ids)
        assert np.array_equal(again.alignment[row], first.alignment[row])
    assert featurize(examples, folder, 20).fingerprint != first.fingerprint


def test_no_examples_are_no_rows(folder: Path):
    data = featurize(Examples(()), folder, 16)
    assert len(data) == len(data.alignment) == 0
