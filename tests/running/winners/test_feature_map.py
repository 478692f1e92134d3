"""`tlbench map`: principal components of test examples' features, kept beside the records and drawn in the page."""

import json

import numpy as np
import pytest

from tlbench.cli.app import _main
from tlbench.results.leaderboard import frame
from tlbench.results.pictures.stored_map import MOST_EXAMPLES, map_path, read_map
from tlbench.results.records.store import Store
from tlbench.results.render.page import Page
from tlbench.results.render.report.html import Html
from tlbench.running.winners.feature_map import components


def test_components_are_the_directions_of_most_variance():
    draws = np.random.default_rng(0)
    wanted = draws.normal(size=(40, 2)) * (4, 1)
    wanted -= wanted.mean(axis=0)
    # Two orthonormal directions of six dimensions, and a little noise in the others.
    basis = np.linalg.qr(draws.normal(size=(6, 6)))[0]
    features = wanted @ basis[:2] + 1e-6 * draws.normal(size=(40, 6)) + 100
    places, (first, second) = components(features)
    for axis in range(2):
        assert abs(np.corrcoef(places[:, axis], wanted[:, axis])[0, 1]) > 0.97
    assert np.abs(places).max() == pytest.approx(1)
    assert first > second > 0
    assert first + second == pytest.approx(1, abs=1e-3)
    np.testing.assert_array_equal(components(features)[0], places)


def test_equal_features_are_one_point():
    places, explained = components(np.ones((5, 3)))
    assert not places.any()
    assert explained == (0, 0)


@pytest.fixture
def mapped(runs, capsys):
    record = runs.one("toy-tune", trials=1, seeds=2, keep_models="best-seed")
    assert _main(["map", record.cell.id[:8], "--examples", "20", "--out", str(runs.folder)]) == 0
    assert "20 examples" in capsys.readouterr().out
    return record, Store.open(runs.folder)


def page_of(record, store):
    files = dict(Html().files(Page(frame([record]), "one"), store))
    return files[f"cells/{record.cell.id}.html"].decode()


def test_a_map_is_kept_beside_the_records_and_drawn_in_the_page(mapped):
    record, store = mapped
    assert store.record(record.cell.id) == record
    page = page_of(record, store)
    assert page.count("<circle") >= 20
    assert "Map of features" in page
    assert "20 test examples, at seed" in page
    # Each class has its colour, named in the key.
    assert all(f"</svg>{name}</li>" in page for name in ("unfriendly", "friendly"))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: {**content, "x": content["x"][1:]},
        lambda content: {**content, "x": [1e9, *content["x"][1:]]},
        lambda content: {**content, "seed": 77},
        lambda content: {**content, "examples": ["<script>", *content["examples"][1:]]},
        lambda content: {**content, "other": 1},
        lambda content: {key: value * MOST_EXAMPLES if isinstance(value, list) and key != "explained" else value
                         for key, value in content.items()},
    ],
)  # fmt: skip
def test_a_map_that_does_not_fit_is_not_drawn(change, mapped):
    record, store = mapped
    path = map_path(store.predictions(record))
    path.write_text(json.dumps(change(json.loads(path.read_bytes()))))
    page = page_of(record, store)
    assert "Map of features" not in page
    assert "<script>" not in page


def test_a_cell_without_a_backbone_has_no_map(runs, capsys):
    record = runs.one("toy-majority", trials=1, seeds=1)
    assert _main(["map", record.cell.id[:8], "--out", str(runs.folder)]) == 2
    assert "it has no backbone, so there are no features to map" in capsys.readouterr().err
    assert read_map(Store.open(runs.folder).predictions(record)) is None
