"""Corpora of `dapt`: how they are found, pinned and divided, and next-sentence prediction."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from tlbench_pretrain.corpus import corpus_examples, sentence_pairs
from tlbench_pretrain.language_heads import LanguageHead
from tlbench_pretrain.language_modelling import Dapt
from tlbench_pretrain.plugin import tlbench_strategies

from tlbench import Card, DataError, Example, Examples, Protocol, UsageError, Vocabulary
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.data_roots import DATA_VARIABLE
from tlbench.testing.jobs import make_job
from tlbench.testing.toy_encoder import featurize
from tlbench.testing.toy_kinds import ToySpanTask
from tlbench.testing.toys import ToyBackbone, ToyTask

LINES = [
    f"the {noun} is {cue} today" for noun in ("film", "song", "book", "play") for cue in ("bleak", "fresh", "dull")
]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of twelve lines below a data root."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(LINES) + "\n\n", encoding="utf-8")
    return file


def test_the_loss_on_a_corpus_falls(corpus: Path) -> None:
    strategy = Dapt(corpus=str(corpus), pretrain_steps=40, pretrain_lr=1e-2, head_steps=5)
    backbone = ToyBackbone(blocks=1)
    job = make_job(strategy, backbone, ToyTask(), {"lr": 1e-3}, Protocol(max_steps=2, precision="fp32"))
    job = dataclasses.replace(job, encoder=backbone.load())
    strategy.fit(job)
    assert job.notes["pretraining_rows"] == 10
    assert job.notes["lm_loss_after"] < job.notes["lm_loss_before"] - 2


def test_the_content_of_a_corpus_is_part_of_the_strategy_s_identity(corpus: Path) -> None:
    def name_of(text: str) -> str:
        # A new catalog, as each command has: it keeps what it has found.
        return Catalog.discover().strategy(f"dapt[corpus={text}]").ref.name

    first = name_of("texts.txt")
    assert first == name_of(first.partition("=")[2].rstrip("]"))
    assert first.partition("@")[0] == "dapt[corpus=texts.txt"
    # The digest of a file of one's own, named by its path, has a mark before it.
    assert name_of(str(corpus)).rpartition("@")[2].removeprefix("sha-") == first.rpartition("@")[2]
    corpus.write_text("another text\n" * 12, encoding="utf-8")
    assert name_of("texts.txt") != first
    with pytest.raises(UsageError, match=r"the digest of texts\.txt is now [0-9a-f]{12}; drop @"):
        name_of(first.partition("=")[2].rstrip("]"))


def test_a_corpus_that_is_missing_is_a_reason_to_skip(corpus: Path) -> None:
    toy, task = ToyBackbone(), ToyTask()
    assert "needs a corpus" in (Dapt().supports(toy, task) or "")
    assert "corpus none.txt is not here" in (Dapt(corpus="none.txt").supports(toy, task) or "")
    (corpus.parent / "empty").mkdir()
    assert "has no .txt file" in (Dapt(corpus="empty").supports(toy, task) or "")
    pinned = Dapt(corpus="texts.txt")
    assert pinned.supports(toy, task) is None
    assert "question" in (pinned.supports(toy, ToySpanTask()) or "")
    corpus.unlink()
    # Its name has the digest still, so that results of it keep their identity.
    assert "is not here" in (Dapt(corpus=pinned.corpus).supports(toy, task) or "")
    assert {one.name for one in tlbench_strategies()} == {"tapt", "dapt", "simcse", "simclr"}


def test_a_folder_is_read_in_the_order_of_its_names_and_changes_with_any_file(corpus: Path) -> None:
    inner = corpus.parent / "more"
    inner.mkdir()
    (inner / "b.txt").write_text("third\n", encoding="utf-8")
    (inner / "a.txt").write_text("first\n  second \n", encoding="utf-8")
    (inner / "notes.md").write_text("no text of the corpus\n", encoding="utf-8")
    pinned = Dapt(corpus="more").corpus
    texts = corpus_examples(pinned, None, words=False, pairs=False, seed=0)
    assert [one.inputs for one in texts] == [("first",), ("second",), ("third",)]
    (inner / "b.txt").rename(inner / "c.txt")
    assert Dapt(corpus="more").corpus != pinned


def test_long_documents_are_divided_into_rows(corpus: Path) -> None:
    corpus.write_text(" ".join(map(str, range(50))) + "\nshort one\n", encoding="utf-8")
    texts = corpus_examples("texts.txt", 30, words=False, pairs=False, seed=0)
    assert [len(one.inputs[0].split()) for one in texts] == [20, 20, 10, 2]
    assert " ".join(one.inputs[0] for one in texts).split()[:50] == list(map(str, range(50)))
    words = corpus_examples("texts.txt", None, words=True, pairs=False, seed=0)
    assert words[1].inputs == (("short", "one"),)


def test_a_file_that_is_no_text_is_named(corpus: Path) -> None:
    corpus.write_bytes(b"good\n\xff\xfe\n")
    with pytest.raises(DataError, match=r"texts\.txt: no UTF-8 text at byte 5"):
        corpus_examples("texts.txt", None, words=False, pairs=False, seed=0)


def test_half_of_the_pairs_are_sentences_that_follow_each_other() -> None:
    documents = [" ".join(f"{document}-{number}." for number in range(50)) for document in "abcdefgh"]
    pairs = sentence_pairs(documents, seed=0)
    assert len(pairs) == 8 * 49

    def follows(first: str, second: str) -> bool:
        (document, number), (other, later) = first.rstrip(".").split("-"), second.rstrip(".").split("-")
        return document == other and int(later) == int(number) + 1

    assert all(follows(*texts) for texts, target in pairs if target)
    assert sum(follows(*texts) for texts, target in pairs if not target) < 10
    # 196 are expected, with a standard deviation of 10.
    assert 150 < sum(target for _, target in pairs) < 240
    # Where documents are single sentences, the next document follows.
    lines = [texts for texts, target in sentence_pairs(["one", "two", "three", "four"] * 5, seed=0) if target]
    assert {*lines} <= {("one", "two"), ("two", "three"), ("three", "four"), ("four", "one")}
    with pytest.raises(DataError, match="fewer than three sentences"):
        sentence_pairs(["one. two."], seed=0)


def test_next_sentences_are_predicted_beside_masked_tokens() -> None:
    encoder = ToyBackbone(blocks=1).load()
    data = featurize(Examples(Example(str(n), ("a b c", "d e"), n % 2) for n in range(4)))
    vocabulary = Vocabulary("masked", special=(0, 1), mask=1023, ids="ids")
    head = LanguageHead(encoder, vocabulary, next_sentence=True)
    assert head.targets(data).tolist() == [0, 1, 0, 1]
    tokens, pairs = head.losses(encoder, data.batch(range(4)), head.targets(data))
    # Of five words 15% are rounded to one.
    assert (len(tokens), len(pairs)) == (4, 4)
    assert head.follows is not None
    (gradient,) = torch.autograd.grad(pairs.sum(), head.follows[0].weight)
    assert gradient.abs().sum() > 0


def test_pairs_need_a_backbone_with_segments(corpus: Path) -> None:
    strategy = Dapt(corpus=str(corpus), nsp=True)
    assert "tells the first text" in (strategy.supports(ToyBackbone(), ToyTask()) or "")
    card = Card(stages=3, vocabulary=Vocabulary("masked", (0, 1), 1023, segments=True, ids="ids"))
    backbone = type("WithSegments", (ToyBackbone,), {"card": lambda self: card})()
    assert strategy.supports(backbone, ToyTask()) is None
