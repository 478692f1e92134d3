"""The baselines of words, colours and similarities: conformance, what they learn, and what they refuse."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy.special import expit
from tlbench_finetune.baselines.colour_histogram import ColourHistogram
from tlbench_finetune.baselines.colours import WIDTH, ColourFeatures, colours
from tlbench_finetune.baselines.cosine import Cosine
from tlbench_finetune.baselines.linear_models import NOTE
from tlbench_finetune.baselines.similarity import best_logit, least_squares
from tlbench_finetune.baselines.text_features import TextFeatures
from tlbench_finetune.baselines.tfidf import GRID, Tfidf

from tlbench import (
    METRICS,
    Classes,
    Example,
    Examples,
    MultiLabel,
    Output,
    PluginError,
    Predictions,
    Protocol,
    Scalar,
    SplitName,
    Strategy,
    Task,
    UsageError,
)
from tlbench.modeling.data import bare
from tlbench.modeling.predictor_files import SETTINGS
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import Rehearsal, make_job
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask

PROTOCOL = Protocol(precision="fp32")
TWO, NUMBER = Classes(("other", "same")), Scalar()
THREE = Classes(("a", "b", "c"))
RED_OR_BLUE = Classes(("red", "blue"))
COUNTS = {"train": 48, "validation": 24, "test": 24}
WORDS = ("river", "stone", "garden", "window", "letter", "engine", "winter", "market")


class _Seeded(Task):
    """A generated task, each split with a random generator of its own."""

    def split(self, name: SplitName) -> Examples | None:
        if name not in COUNTS:
            return None
        rng = np.random.default_rng(sorted(COUNTS).index(name))
        return Examples(Example(f"{name}-{i}", *self.one(rng, i)) for i in range(COUNTS[name]))

    def one(self, rng: np.random.Generator, index: int) -> tuple[tuple[Any, ...], Any]:
        raise NotImplementedError


@dataclass(frozen=True)
class Repeated(_Seeded):
    """Pairs of texts of four words: 1 if the second has the words of the first in another order."""

    name: ClassVar[str] = "repeated"
    modality: ClassVar[str] = "text"
    metrics: ClassVar[tuple[str, ...]] = ("accuracy",)
    pairs: ClassVar[bool] = True
    output: Output = TWO

    def one(self, rng: np.random.Generator, index: int) -> tuple[tuple[Any, ...], Any]:
        first = rng.permutation(WORDS)
        second = rng.permutation(first[:4]) if index % 2 else first[4:]
        return (" ".join(first[:4]), " ".join(second)), index % 2


@dataclass(frozen=True)
class Shared(Repeated):
    """Pairs of texts with a number: how many of four words they share."""

    name: ClassVar[str] = "shared"
    metrics: ClassVar[tuple[str, ...]] = ("pearson",)
    output: Output = NUMBER

    def one(self, rng: np.random.Generator, index: int) -> tuple[tuple[Any, ...], Any]:
        words, count = rng.permutation(WORDS), index % 5
        return (" ".join(words[:4]), " ".join(words[4 - count : 8 - count])), float(count)


@dataclass(frozen=True)
class Tints(_Seeded):
    """Images of noise, more red or more blue; as labels and as a number too."""

    modality: ClassVar[str] = "image"
    output: Output = RED_OR_BLUE
    metrics: tuple[str, ...] = ("accuracy",)
    name: str = "tints"

    def one(self, rng: np.random.Generator, index: int) -> tuple[tuple[Any, ...], Any]:
        from PIL import Image

        blue = index % 2
        pixels = rng.integers(0, 200, (6, 5, 3))
        pixels[..., 2 * blue] += 55
        target = {Classes: blue, Scalar: float(blue), MultiLabel: (1 - blue, blue, 0)}[type(self.output)]
        return (Image.fromarray(pixels.astype(np.uint8)),), target


PAIR_TASKS = (Repeated(), Shared())
TINTS = (
    Tints(), Tints(Scalar(), ("r2",), "redness"), Tints(MultiLabel(("red", "blue", "none")), ("f1_macro",), "labels"),
)  # fmt: skip


class TestTfidf(StrategyConformance):
    strategy = Tfidf()


class TestTfidfOfPairs(StrategyConformance):
    strategy = Tfidf()
    tasks = PAIR_TASKS


class TestColourHistogram(StrategyConformance):
    strategy = ColourHistogram()
    tasks = TINTS


class TestCosine(StrategyConformance):
    strategy = Cosine()
    tasks = PAIR_TASKS


def _score(strategy: Strategy, task: Task) -> float:
    job = make_job(strategy, ToyBackbone(), task, protocol=PROTOCOL)
    return job.score(strategy.fit(job))


@pytest.mark.parametrize(
    ("strategy", "task", "least"),
    [
        (Tfidf(), ToyTask(), 0.7), (Tfidf(), ToyScalarTask(), 0.8),
        (Tfidf(), Repeated(), 1.0), (Tfidf(), Shared(), 0.95),
        *((ColourHistogram(), task, 0.75) for task in TINTS[:2]), (ColourHistogram(), TINTS[2], 0.6),
        (Cosine(), Repeated(), 0.9), (Cosine(), Shared(), 0.6),
    ],
    ids=lambda value: getattr(value, "name", None),
)  # fmt: skip
def test_what_can_be_learned_is_learned(strategy: Strategy, task: Task, least: float) -> None:
    assert _score(strategy, task) >= least


def _fitted_on(texts: list[str], targets: list[Any], output: Output = THREE) -> Predictions:
    job = make_job(Tfidf(), None, ToyTask(), protocol=PROTOCOL)
    data = bare(
        Examples(Example(str(i), (text,), one) for i, (text, one) in enumerate(zip(texts, targets, strict=True)))
    )
    info = dataclasses.replace(job.task, output=output)
    job = dataclasses.replace(job, train=data, held_out=data, task=info)
    return Tfidf().fit(job).predict(data)


def test_probabilities_are_those_of_classes_that_were_seen() -> None:
    predictions = _fitted_on(["good good", "bad bad"] * 4, [0, 2] * 4)
    assert predictions.values.tolist() == [0, 2] * 4
    np.testing.assert_allclose(predictions.scores.sum(axis=1), 1)
    assert predictions.scores[:, 1].max() < 1e-6


@pytest.mark.parametrize(
    ("texts", "targets"), [(["x"] * 3, [1, 1, 1]), (["!", "?", "..."], [1, 1, 0]), (["", "", ""], [2, 1, 1])]
)
def test_one_class_or_texts_without_words_give_the_most_frequent_class(texts: list[str], targets: list[int]) -> None:
    assert _fitted_on(texts, targets).values.tolist() == [1, 1, 1]


def test_labels_and_numbers_without_variation_are_predicted_as_they_are() -> None:
    labels = MultiLabel(("all", "none"))
    assert _fitted_on(["a b", "a c"], [(1, 0), (1, 0)], labels).values.tolist() == [[1, 0], [1, 0]]
    job = make_job(Tfidf(), None, ToyScalarTask(), protocol=PROTOCOL)
    data = bare(Examples(Example(str(i), (f"a {i % 2}",), 2.5) for i in range(6)))
    values = Tfidf().fit(dataclasses.replace(job, train=data, held_out=data)).predict(data).values
    np.testing.assert_allclose(values, 2.5, atol=1e-6)


def test_features_of_a_text_are_scikit_learns() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["The cat sat.", "A cat, a dog!", "the dog sat on a cat"]
    features, whole = TextFeatures.fit(Examples(Example(str(i), (text,)) for i, text in enumerate(texts)))
    mine = features.parts[0].matrix(texts).toarray()
    theirs = TfidfVectorizer(min_df=2, ngram_range=(1, 2), token_pattern=r"\b\w+\b", sublinear_tf=True)
    np.testing.assert_allclose(mine, theirs.fit_transform(texts).toarray(), rtol=1e-6)
    np.testing.assert_allclose(whole.toarray()[:, : mine.shape[1]], mine, rtol=1e-6)
    assert features.parts[0].grams == ("a", "a cat", "cat", "dog", "sat", "the")


def test_overlap_of_a_pair() -> None:
    pairs = Examples(
        Example(str(i), ("red cat", second)) for i, second in enumerate(["red cat", "blue dog", "red dog"])
    )
    matrix = TextFeatures.fit(Examples([*pairs, *pairs]))[0].matrix(pairs).toarray()
    cosine_of_words, cosine_of_characters, shared, of_first, of_second = matrix[:, -5:].T
    np.testing.assert_allclose([cosine_of_words[0], cosine_of_characters[0], shared[0]], 1, rtol=1e-6)
    assert cosine_of_words[1] == cosine_of_characters[1] == shared[1] == 0
    # Of "red", "cat", "red cat" and of "red", "dog", "red dog" one is in both.
    np.testing.assert_allclose([shared[2], of_first[2], of_second[2]], [1 / 5, 1 / 3, 1 / 3], rtol=1e-6)


def test_the_penalty_is_noted_and_used_again_where_there_is_no_validation_split() -> None:
    job = make_job(Tfidf(), None, ToyTask(), protocol=PROTOCOL)
    first = Tfidf().fit(job)
    assert 10 ** job.notes[NOTE] == pytest.approx(min(GRID, key=lambda c: abs(c - 10 ** job.notes[NOTE])))
    again = Tfidf().fit(dataclasses.replace(job, held_out=None, searched=dict(job.notes), notes={}))
    other = Tfidf().fit(dataclasses.replace(job, held_out=None, searched={NOTE: -3.0}, notes={}))
    mine, theirs, weak = (one.predict(job.validation).scores for one in (first, again, other))
    np.testing.assert_allclose(mine, theirs, atol=1e-6)
    assert abs(weak - 0.5).max() < 0.1 < abs(mine - 0.5).max()


def test_a_model_without_a_backbone_counts_its_weights() -> None:
    result = Rehearsal(ColourHistogram(), None, Tints(), PROTOCOL).fit().result
    assert result.trainable_parameters == result.parameters == 2 * WIDTH + 2


def test_a_histogram_of_colours() -> None:
    from PIL import Image

    image = Image.new("RGB", (2, 2), (255, 0, 0))
    image.putpixel((0, 0), (0, 0, 31))
    shares = colours(image)
    assert shares.shape == (WIDTH,)
    assert {int(i): float(shares[i]) for i in np.flatnonzero(shares[:512])} == {0: 0.25, 7 * 64: 0.75}
    # Saturation is 1 everywhere; values are 1, 1, 1 and 31/255.
    np.testing.assert_allclose(shares[512:515], [0.25 * 170 / 255, 1, (3 + 31 / 255) / 4], atol=0.005)
    np.testing.assert_allclose(shares[[516, 519]], 0, atol=1e-9)


def test_a_colour_that_train_hardly_has_is_cut() -> None:
    from PIL import Image

    grey = Examples(Example(str(i), (Image.new("RGB", (4, 4), (100 + i % 2,) * 3),)) for i in range(8))
    new = Examples([Example("new", (Image.new("RGB", (4, 4), (0, 255, 0)),))])
    assert abs(ColourFeatures.fit(grey)[0].matrix(new)).max() <= 10


@pytest.mark.parametrize(
    ("metric", "positive", "targets", "expected"),
    [
        ("accuracy", 1, [0, 0, 1, 1, 1], [0, 0, 1, 1, 1]),
        ("accuracy", 1, [1, 1, 0, 0, 0], [1, 1, 0, 0, 0]),
        # One error either way: F1 of class 1 prefers to find all of them.
        ("f1", 1, [0, 1, 0, 1, 1], [0, 1, 1, 1, 1]),
        ("recall", 1, [0, 0, 1, 0, 1], [0, 0, 1, 1, 1]),
        ("accuracy", 1, [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]),
    ],
)
def test_a_threshold_is_the_best_by_the_metric(
    metric: str, positive: int, targets: list[int], expected: list[int]
) -> None:
    cosines = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    slope, offset = best_logit(cosines, np.array(targets), METRICS[metric], positive)
    assert (slope * cosines + offset > 0).astype(int).tolist() == expected


def test_the_slope_is_that_of_maximum_likelihood_and_a_line_that_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    cosines = rng.uniform(0, 1, 2000)
    slope, offset = best_logit(
        cosines, (rng.random(2000) < expit(8 * (cosines - 0.5))).astype(int), METRICS["accuracy"]
    )
    assert slope == pytest.approx(8, abs=1)
    assert -offset / slope == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(least_squares(cosines, 3 * cosines - 1), [3, -1], atol=1e-9)
    assert least_squares(np.full(3, 0.5), np.array([1.0, 2.0, 3.0])) == (0.0, 2.0)


def test_cosines_do_not_depend_on_the_other_text() -> None:
    job = make_job(Cosine(), ToyBackbone(), Shared(), protocol=PROTOCOL)
    same = job.validation.examples[0].inputs[0]
    data = job.featurize(Examples([Example("a", (same, same), 4.0)]))
    predictor = Cosine().fit(job)
    values = predictor.predict(data).values
    assert values[0] == pytest.approx(predictor.slope + predictor.offset)  # type: ignore[attr-defined]


def test_cosine_refuses_single_texts() -> None:
    assert "are no pairs" in (Cosine().supports(ToyBackbone(), ToyTask()) or "")
    assert "has 3" in (Cosine().supports(ToyBackbone(), Repeated(Classes(("a", "b", "c")))) or "")
    with pytest.raises(PluginError, match="compares two texts"):
        Cosine().fit(make_job(Cosine(), ToyBackbone(), ToyTask(), protocol=PROTOCOL))


def test_words_and_colours_are_skipped_where_there_are_none() -> None:
    assert "images" in (Tfidf().supports(None, Tints()) or "")
    assert "texts" in (ColourHistogram().supports(None, ToyTask()) or "")


@pytest.mark.parametrize(
    "settings",
    [{}, {"inputs": True}, {"words": ["a", "a"]}, {"words": [1]}, {"inputs": 0}, {"inputs": 2}],
    ids=str,
)  # fmt: skip
def test_damaged_files_are_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    rehearsal = Rehearsal(Tfidf(), None, ToyTask(), PROTOCOL)
    predictor = rehearsal.fit().predictor
    assert predictor is not None
    predictor.save(tmp_path)
    written = json.loads((tmp_path / SETTINGS).read_text())
    kept = written["settings"] if settings else {}
    (tmp_path / SETTINGS).write_text(json.dumps({**written, "settings": {**kept, **settings}}))
    with pytest.raises(UsageError, match=str(tmp_path)):
        Tfidf().load(make_job(Tfidf(), None, ToyTask(), protocol=PROTOCOL), tmp_path)
