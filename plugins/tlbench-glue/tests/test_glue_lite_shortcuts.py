"""No label or grade of the generated tasks is read from counts or from single words."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from tlbench_glue.lite.cola import ColaLite
from tlbench_glue.lite.lite_tasks import LiteTask
from tlbench_glue.lite.mrpc import MrpcLite
from tlbench_glue.lite.rte import RteLite
from tlbench_glue.lite.sst2 import Sst2Lite
from tlbench_glue.lite.stsb import StsbLite

from tlbench import Examples

TASKS: dict[str, LiteTask] = {t.name: t for t in (ColaLite(), Sst2Lite(), MrpcLite(), RteLite(), StsbLite())}
LIMIT = {"cola-lite": 0.25, "sst2-lite": 0.25, "mrpc-lite": 0.25, "rte-lite": 0.25, "stsb-lite": 0.35}
"""Highest correlation of predictions from counts with the target; that of 0/1 labels is some twice the gain in
accuracy: 0.25 is some 62%."""


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def grams(items: list[str] | str, n: int) -> Counter[object]:
    return Counter(tuple(items[i : i + n]) for i in range(len(items) - n + 1))


def shared(one: Counter[object], other: Counter[object]) -> list[float]:
    """Returns how many two texts share, and as a part of all."""
    both = (one & other).total()
    return [both, both / max(1, (one | other).total())]


def counts(inputs: tuple[str, ...]) -> list[float]:
    """Returns lengths and, of pairs, overlaps of words, of pairs and triples of words and of letters."""
    found: list[float] = [n for text in inputs for n in (len(words(text)), len(text), text.count(","))]
    if len(inputs) == 2:
        one, other = map(words, inputs)
        for n in (1, 2, 3):
            found += shared(grams(one, n), grams(other, n))
        found += shared(grams(inputs[0].lower(), 3), grams(inputs[1].lower(), 3))
        found += [len(set(one) - set(other)), len(set(other) - set(one))]
    return found


def targets(rows: Examples) -> np.ndarray:
    return np.array([row.target for row in rows], dtype=float)


@pytest.fixture(scope="module", params=TASKS)
def task(request) -> tuple[str, Examples, Examples]:
    made = TASKS[request.param]
    train, test = made.split("train"), made.split("test")
    assert train is not None
    assert test is not None
    return request.param, train, test


@pytest.mark.parametrize("model", ["ridge", "boosting"])
def test_no_counts_read_the_target(task, model):
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    name, train, test = task
    models = {
        "ridge": make_pipeline(StandardScaler(), RidgeCV()),
        "boosting": GradientBoostingRegressor(max_depth=3, n_estimators=40, random_state=0),
    }
    x, held_out = (np.array([counts(row.inputs) for row in rows]) for rows in (train, test))
    predicted = models[model].fit(x, targets(train)).predict(held_out)
    assert np.corrcoef(predicted, targets(test))[0, 1] < LIMIT[name]


def test_no_bag_of_words_reads_the_target(task):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge

    _, train, test = task
    # Words of the two texts of a pair are apart.
    texts = [[" ".join(f"{w}{i}" for i, t in enumerate(row.inputs) for w in words(t)) for row in x] for x in task[1:]]
    vectorizer = TfidfVectorizer()
    model = Ridge().fit(vectorizer.fit_transform(texts[0]), targets(train))
    assert abs(np.corrcoef(model.predict(vectorizer.transform(texts[1])), targets(test))[0, 1]) < 0.25


def test_the_counts_would_show_an_overlap():
    same, other = counts(("The dog slept.", "The dog slept.")), counts(("The dog slept.", "An owl flew."))
    assert [same[6], same[7], other[6], other[7]] == [3, 1, 0, 0]
    assert same[12] > other[12]
