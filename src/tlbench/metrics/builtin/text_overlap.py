"""Metrics of texts. The counts of each example are the libraries' own; how sums become a score is NumPy.

ROUGE (Lin 2004) is rouge_score's F-measure with Porter's stemmer, the best over the accepted texts of an example, then
the mean over examples. BLEU (Papineni et al. 2002) and chrF (Popović 2015) are sacrebleu's scores of the whole corpus,
as a share of 1 (Post 2018, arXiv:1804.08771).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tlbench.metrics.formula import Formula, Sums, mean_of, ratio, with_ones
from tlbench.metrics.scored import Floats, Scored

_ORDERS = 4
_BETA = 2


def _rouge(name: str) -> Callable[[Scored], Floats]:
    def parts(scored: Scored) -> Floats:
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer([name], use_stemmer=True)
        pairs = zip(scored.targets, scored.values, strict=True)
        found = [scorer.score_multi(accepted or ("",), text)[name].fmeasure for accepted, text in pairs]
        return with_ones(np.asarray(found, dtype=np.float64))

    return parts


def references(scored: Scored) -> list[list[str | None]]:
    """Returns accepted texts as sacrebleu reads them: a first, a second, ... of each example, None where missing."""
    accepted = [tuple(texts) or ("",) for texts in scored.targets]
    most = max(map(len, accepted))
    return [[texts[i] if i < len(texts) else None for texts in accepted] for i in range(most)]


def _corpus(make: Callable[[], Any]) -> Callable[[Scored], Floats]:
    def parts(scored: Scored) -> Floats:
        counts = make()._extract_corpus_statistics(scored.values.tolist(), references(scored))
        return np.asarray(counts, dtype=np.float64)

    return parts


def _bleu_metric() -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU()


def _chrf_metric() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()


def _bleu(sums: Floats) -> Floats:
    said, asked = sums[..., 0], sums[..., 1]
    right, total = sums[..., 2 : 2 + _ORDERS], sums[..., 2 + _ORDERS :]
    # Of an order with no match half as much is counted as of the one before: sacrebleu's "exp" smoothing.
    missed = right == 0
    precision = np.where(missed, 0.5 ** np.cumsum(missed, axis=-1), right) / np.maximum(total, 1)
    brevity = np.exp(1 - np.maximum(asked, said) / np.maximum(said, 1))
    defined = (total > 0).all(axis=-1) & ~missed.all(axis=-1)
    return np.where(defined, brevity * np.exp(np.log(precision).mean(axis=-1)), 0.0)


def _chrf(sums: Floats) -> Floats:
    said, asked, right = sums[..., 0::3], sums[..., 1::3], sums[..., 2::3]
    counts = ((said > 0) & (asked > 0)).astype(np.float64)
    orders = counts.sum(axis=-1)
    precision = ratio((counts * ratio(right, said)).sum(axis=-1), orders)
    recall = ratio((counts * ratio(right, asked)).sum(axis=-1), orders)
    return ratio((1 + _BETA**2) * precision * recall, _BETA**2 * precision + recall)


FORMULAS: dict[str, Formula] = {
    **{name: Sums(_rouge(name), mean_of, counts=False) for name in ("rouge1", "rouge2", "rougeL")},
    "bleu": Sums(_corpus(_bleu_metric), _bleu, counts=False),
    "chrf": Sums(_corpus(_chrf_metric), _chrf, counts=False),
}
