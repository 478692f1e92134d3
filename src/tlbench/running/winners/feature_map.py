"""Maps the test examples of a cell in two dimensions, by the features of its fitted encoder."""

from __future__ import annotations

import numpy as np

from tlbench.contracts.errors import UsageError
from tlbench.modeling.activations.encoding import encode_features
from tlbench.results.pictures.stored_map import MOST_EXAMPLES, FeatureMap
from tlbench.running.winners.kept_winner import KeptWinner

_DIGITS = 3


def feature_map(winner: KeptWinner, most: int = MOST_EXAMPLES) -> FeatureMap:
    """Returns the first two principal components of the readout of test examples at equal distances.

    An example that is read in several windows is at the mean of their features.

    Raises:
        UsageError: The cell has no backbone, or fewer than three test examples.
    """
    title = winner.record.cell.title
    if winner.context.encoder is None:
        raise UsageError(f"{title}: it has no backbone, so there are no features to map")
    test = winner.context.test()
    chosen = np.unique(np.linspace(0, len(test) - 1, min(most, len(test))).round().astype(int)).tolist()
    examples = test.take(chosen)
    if len(examples) < 3:
        raise UsageError(f"{title}: {len(examples)} test examples make no map")
    data = winner.featurize(examples.without_targets())
    rows = encode_features(winner.job.encoder, data, winner.context.precision).float().cpu().numpy().astype(float)
    counts = np.bincount(data.owners, minlength=len(examples))
    features = np.zeros((len(examples), rows.shape[1]))
    np.add.at(features, data.owners, rows)
    places, explained = components(features / np.maximum(counts, 1)[:, None])
    ids = tuple(example.id for example in examples)
    x, y = (tuple(np.round(part, _DIGITS).tolist()) for part in places.T)
    return FeatureMap(winner.fit.seed, ids, x, y, explained)


def components(features: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Returns the first two principal components (N, 2) of features (N, D), and their shares of the variance.

    They are scaled together so that the largest value is 1, and each has the sign with which its direction's largest
    weight is positive.
    """
    centred = features - features.mean(axis=0)
    left, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(features), 2))
    count = min(2, len(sizes))
    largest = np.abs(directions[:count]).argmax(axis=1)
    signs = np.sign(directions[np.arange(count), largest])
    places[:, :count] = left[:, :count] * sizes[:count] * signs
    shares = np.zeros(2)
    shares[:count] = sizes[:count] ** 2 / max(float((sizes**2).sum()), 1e-30)
    extent = float(np.abs(places).max())
    return places / extent if extent else places, (round(float(shares[0]), 4), round(float(shares[1]), 4))
