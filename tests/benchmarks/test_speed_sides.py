"""What is done for the peers is done well: a comparison with a crippled one says nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks.speed import corpora, models, process
from benchmarks.speed.contest import environment_of
from benchmarks.speed.rows import TINY, Work
from benchmarks.speed.sides.logistic import fitted, unfolded


def test_a_probe_on_standardised_features_is_the_same_on_raw_ones_and_leaves_out_what_never_moves():
    rng = np.random.default_rng(0)
    features = rng.normal(2.0, 0.3, (200, 5)).astype(np.float32)
    features[:, 3] = 1e-32 * rng.normal(size=200)
    targets = (features[:, 0] + 0.1 * rng.normal(size=200) > 2).astype(int)
    probe = fitted(features, targets, l2=0.1)
    weight, bias = unfolded(probe)
    assert weight[3] == 0
    assert np.abs(weight).max() < 1e3
    told = features.astype(np.float64) @ weight + bias
    without = probe.decision_function(features) - probe[-1].coef_[0][3] * probe[0].transform(features)[:, 3]
    # scikit-learn computes in the features' fp32: five products, each of factors that were rounded a few times
    products = np.abs(probe[-1].coef_[0] * probe[0].transform(features)).sum(1).max()
    assert told == pytest.approx(without, abs=float(10 * np.finfo(np.float32).eps * products))


@pytest.mark.parametrize(("seen", "given"), [(None, "0"), ("", "0"), ("2,3", "2"), ("1", "1")])
def test_both_sides_see_the_same_one_gpu(monkeypatch, seen, given):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if seen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    environment = environment_of("cuda")
    assert environment["CUDA_VISIBLE_DEVICES"] == given
    assert "OMP_NUM_THREADS" not in environment
    assert environment_of("cpu").get("CUDA_VISIBLE_DEVICES") == seen


def test_where_the_kernel_does_not_divide_shared_pages_resident_memory_is_taken(monkeypatch):
    def unreadable(self, *args, **kwargs):
        raise PermissionError(str(self))

    monkeypatch.setattr(Path, "read_text", unreadable)
    monkeypatch.setattr(psutil.Process, "children", lambda self, recursive=False: [])
    mine = psutil.Process(os.getpid())
    assert process.memory(mine) == pytest.approx(mine.memory_info().rss, rel=0.1)


def test_a_random_model_knows_the_words_of_its_own_rows(tmp_path):
    work = Work(model=TINY, corpus=corpora.GENERATED, train=20, held_out=20)
    folders = {
        models.model_of(one, tmp_path, corpora.load(one.corpus, "", one.train, one.held_out))[1]
        for one in (work, work, replace(work, train=30))
    }
    assert len(folders) == 2
    assert all((folder / "tokenizer.json").is_file() for folder in folders)
