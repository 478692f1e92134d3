"""Exact match and word F1 of question answering, equal to SQuAD's official evaluation scripts.

Rajpurkar et al. 2016, arXiv:1606.05250, and 2018, arXiv:1806.03822. A question whose accepted answers contain no word
is unanswerable, and only the empty prediction is correct, as in the script of version 2.0; for answerable questions
both versions agree.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from tlbench.metrics.formula import Formula, Sums, mean_of, with_ones
from tlbench.metrics.scored import Floats, Scored

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """Returns the text in lower case without punctuation and English articles, with single spaces between words."""
    # The order of the steps is that of the official script: with punctuation removed first, "a.m." is no article.
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(accepted: Sequence[str], prediction: str) -> float:
    """Returns 1 if the prediction equals an accepted answer, both normalised, else 0."""
    return float(normalised(prediction) in _normalised_accepted(accepted))


def answer_f1(accepted: Sequence[str], prediction: str) -> float:
    """Returns the highest F1 of the prediction's words over the accepted answers, all normalised."""
    words = normalised(prediction).split()
    return max(_word_f1(accepted_text.split(), words) for accepted_text in _normalised_accepted(accepted))


def _normalised_accepted(accepted: Sequence[str]) -> list[str]:
    # Accepted answers that normalise to nothing are ignored, unless all do: then the question is unanswerable.
    return [text for text in map(normalised, accepted) if text] or [""]


def _word_f1(accepted_words: Sequence[str], words: Sequence[str]) -> float:
    if not accepted_words or not words:
        return float(not accepted_words and not words)
    # Words are counted with multiplicity: the intersection of two Counters keeps the smaller count.
    common = sum((Counter(accepted_words) & Counter(words)).values())
    if not common:
        return 0.0
    precision, recall = common / len(words), common / len(accepted_words)
    return 2 * precision * recall / (precision + recall)


def _mean_over_examples(example_score: Callable[[Sequence[str], str], float]) -> Sums:
    def parts(scored: Scored) -> Floats:
        pairs = zip(scored.targets, scored.values, strict=True)
        return with_ones(
            np.asarray([example_score(accepted, prediction) for accepted, prediction in pairs], dtype=np.float64)
        )

    return Sums(parts, mean_of, counts=False)


FORMULAS: dict[str, Formula] = {
    "exact_match": _mean_over_examples(exact_match),
    "answer_f1": _mean_over_examples(answer_f1),
}
