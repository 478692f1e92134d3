"""Metrics of generated text: ROUGE, BLEU and chrF.

The counts of each example come from rouge_score and sacrebleu; the score is computed from their sums in NumPy, so that
corpus scores can be resampled. ROUGE (Lin 2004) is the F-measure with Porter's stemmer, the maximum over an example's
accepted texts, averaged over examples. BLEU (Papineni et al. 2002) and chrF (Popović 2015) are sacrebleu's scores of
the corpus, between 0 and 1 (Post 2018, arXiv:1804.08771).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tlbench.metrics.formula import Formula, Sums, mean_of, ratio, with_ones
from tlbench.metrics.scored import Floats, Scored

_ORDERS = 4
"""The longest n-gram of BLEU, which is the default of sacrebleu."""
_BETA = 2
"""The weight of recall against precision in chrF, which is the default of sacrebleu."""


def _rouge(name: str) -> Callable[[Scored], Floats]:
    def parts(scored: Scored) -> Floats:
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer([name], use_stemmer=True)
        pairs = zip(scored.targets, scored.values, strict=True)
        scores = [scorer.score_multi(accepted or ("",), text)[name].fmeasure for accepted, text in pairs]
        return with_ones(np.asarray(scores, dtype=np.float64))

    return parts


def references(scored: Scored) -> list[list[str | None]]:
    """Returns accepted texts in sacrebleu's layout: one list per reference, with None for examples that have fewer."""
    accepted = [tuple(texts) or ("",) for texts in scored.targets]
    most = max(map(len, accepted))
    return [[texts[i] if i < len(texts) else None for texts in accepted] for i in range(most)]


def _corpus(make: Callable[[], Any]) -> Callable[[Scored], Floats]:
    def parts(scored: Scored) -> Floats:
        # sacrebleu has no public function for the counts of each sentence; tests compare the result with its scores.
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
    # The columns are sacrebleu's: lengths of predictions and references, then matched and total n-grams of each order.
    length, reference_length = sums[..., 0], sums[..., 1]
    matched, total = sums[..., 2 : 2 + _ORDERS], sums[..., 2 + _ORDERS :]
    # sacrebleu's "exp" smoothing: the k-th order without a match counts 1 / 2**k matches.
    missed = matched == 0
    precision = np.where(missed, 0.5 ** np.cumsum(missed, axis=-1), matched) / np.maximum(total, 1)
    brevity = np.exp(1 - np.maximum(reference_length, length) / np.maximum(length, 1))
    defined = (total > 0).all(axis=-1) & ~missed.all(axis=-1)
    return np.where(defined, brevity * np.exp(np.log(precision).mean(axis=-1)), 0.0)


def _chrf(sums: Floats) -> Floats:
    # Three columns for each order of character n-grams: of predictions, of references, and in both.
    predicted, actual, matched = sums[..., 0::3], sums[..., 1::3], sums[..., 2::3]
    # As in sacrebleu, precision and recall are means over the orders that occur on both sides.
    in_both = ((predicted > 0) & (actual > 0)).astype(np.float64)
    orders = in_both.sum(axis=-1)
    precision = ratio((in_both * ratio(matched, predicted)).sum(axis=-1), orders)
    recall = ratio((in_both * ratio(matched, actual)).sum(axis=-1), orders)
    return ratio((1 + _BETA**2) * precision * recall, _BETA**2 * precision + recall)


FORMULAS: dict[str, Formula] = {
    **{name: Sums(_rouge(name), mean_of, counts=False) for name in ("rouge1", "rouge2", "rougeL")},
    "bleu": Sums(_corpus(_bleu_metric), _bleu, counts=False),
    "chrf": Sums(_corpus(_chrf_metric), _chrf, counts=False),
}
