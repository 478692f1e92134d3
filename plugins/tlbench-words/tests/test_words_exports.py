"""Fitted models of word vectors are folders that NumPy reads, and predict as tlbench does."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from tlbench_finetune.plugin import tlbench_strategies as finetuning_strategies
from tlbench_words.plugin import tlbench_resolve

from tlbench import Classes, Example, Examples, Output, Protocol, Task, TokenClasses
from tlbench.running.exporting.exported_check import predictions_without_tlbench
from tlbench.testing.exports.exported_predictions import exported
from tlbench.testing.jobs import Rehearsal

STRATEGIES = {strategy.name: strategy for strategy in finetuning_strategies()}
KNOWN = ["the", "cat", "do", "n't", "it", "'s", "Well-known", "ran", "far", "away", "mat"]
SPOKEN = [
    "the",
    "cat",
    "don\N{RIGHT SINGLE QUOTATION MARK}t",
    "it's",
    "Well-known",
    "ran",
    "far",
    "Away",
    "mat",
    "unheard-of",
    "?",
]


CLASSES = Classes(("no", "yes"))


@dataclass(frozen=True)
class Sayings(Task):
    output: Output = CLASSES
    metrics: tuple[str, ...] = ("accuracy",)
    pairs: bool = False
    name = "sayings"
    modality = "text"

    def split(self, name):
        draws = np.random.default_rng(len(name))
        return Examples(self._example([SPOKEN[i] for i in draws.integers(0, len(SPOKEN), 1 + i)], f"{name}-{i}", i)
                        for i in range(10))  # fmt: skip

    def _example(self, words, name, i):
        if isinstance(self.output, TokenClasses):
            return Example(name, (tuple(words),), tuple(int(word == "cat") for word in words))
        return Example(name, (" ".join(words), "it ran") if self.pairs else (" ".join(words),), i % 2)


CASES = {
    "tuned": ("full-finetune", {}, Sayings()),
    "last": ("mlp-probe", {"readout": "last"}, Sayings()),
    "tags": ("linear-probe", {}, Sayings(TokenClasses(("O", "X")), ("entity_f1",))),
    "separate": ("linear-probe", {}, Sayings(pairs=True)),
    "cut": ("full-finetune", {"max_length": 4}, Sayings(pairs=True)),
}


@pytest.fixture
def vectors(tmp_path):
    draws = np.random.default_rng(1)
    lines = [f"{word} {' '.join(f'{x:.3f}' for x in draws.normal(size=6))}\n" for word in KNOWN]
    (tmp_path / "vectors.txt").write_text("".join(lines))
    return tlbench_resolve("backbone", f"words:{tmp_path / 'vectors.txt'}")


def test_folders_predict_without_tlbench_as_the_predictors_do(vectors, tmp_path):
    written = []
    for name, (strategy, options, task) in CASES.items():
        backbone = replace(vectors, **options)
        rehearsal = Rehearsal(STRATEGIES[strategy], backbone, task, Protocol(max_steps=5, precision="fp32"))
        predictor = rehearsal.fit_ok().predictor
        written.append(exported(predictor, backbone, task, rehearsal.data(), tmp_path / name))
    found = predictions_without_tlbench([(one.folder, one.rows) for one in written])
    for one, predictions in zip(written, found, strict=True):
        assert one.problem(predictions) == "", one.folder
    assert (tmp_path / "tuned" / "words.txt").read_text().split("\n") == KNOWN
    assert (tmp_path / "tuned" / "requirements.txt").read_text() == "numpy\nsafetensors\n"
