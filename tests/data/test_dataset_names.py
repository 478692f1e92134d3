"""Tests of the comparison of data sets by their names."""

from __future__ import annotations

import pytest

from tlbench.data.dataset_names import shared_datasets


@pytest.mark.parametrize(
    ("trained_on", "datasets", "shared"),
    [
        (("snli", "multi_nli"), ("multi_nli",), ("multi_nli",)),
        (("nyu-mll/multi_nli", "snli"), ("MNLI",), ("nyu-mll/multi_nli",)),
        (("sentence-transformers/all-nli",), ("multi_nli",), ("sentence-transformers/all-nli",)),
        (
            ("embedding-data/QQP_triplets", "quora-question-triplets"),
            ("qqp",),
            ("embedding-data/QQP_triplets", "quora-question-triplets"),
        ),
        (("squad-2.0",), ("squad",), ("squad-2.0",)),
        # QNLI's sentences are SQuAD's.
        (("squad_v2",), ("qnli",), ("squad_v2",)),
        (("glue",), ("cola",), ("glue",)),
        (("ImageNet-22k",), ("imagenet-1k",), ("ImageNet-22k",)),
        (("CIFAR-10",), ("cifar10",), ("CIFAR-10",)),
        (("CIFAR-100",), ("cifar10",), ()),
        (("squad",), ("squad_v2",), ("squad",)),
        (("wikipedia",), ("imdb",), ()),
        (("imdb", "imdb"), ("imdb",), ("imdb",)),
        ((), ("imdb",), ()),
        (("imdb",), (), ()),
        # A name without a letter or digit is no name.
        (("---",), ("___",), ()),
    ],
)
def test_data_sets_match_by_any_of_their_names_and_by_what_they_contain(trained_on, datasets, shared):
    assert shared_datasets(trained_on, datasets) == shared
