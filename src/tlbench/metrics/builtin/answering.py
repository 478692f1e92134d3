"""Exact match and F1 of answers, as SQuAD's official evaluation scripts have them.

Rajpurkar et al. 2016, arXiv:1606.05250, and 2018, arXiv:1806.03822. Where no accepted answer has a word in it, which is
how a question without an answer looks, the empty answer alone is right: so says the script of version 2, and on
questions that have answers both versions agree.
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
    """Returns the text in lower case without punctuation and English articles, words one space apart."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(accepted: Sequence[str], answer: str) -> float:
    """Returns 1 if the answer is one of those that are accepted, both normalised, else 0."""
    return float(normalised(answer) in _golden(accepted))


def answer_f1(accepted: Sequence[str], answer: str) -> float:
    """Returns the best F1 of the answer's words against those of an accepted answer, all normalised."""
    words = normalised(answer).split()
    return max(_overlap(golden.split(), words) for golden in _golden(accepted))


def _golden(accepted: Sequence[str]) -> list[str]:
    return [text for text in map(normalised, accepted) if text] or [""]


def _overlap(golden: Sequence[str], words: Sequence[str]) -> float:
    if not golden or not words:
        return float(not golden and not words)
    common = sum((Counter(golden) & Counter(words)).values())
    if not common:
        return 0.0
    precision, recall = common / len(words), common / len(golden)
    return 2 * precision * recall / (precision + recall)


def _mean(of_example: Callable[[Sequence[str], str], float]) -> Sums:
    def parts(scored: Scored) -> Floats:
        pairs = zip(scored.targets, scored.values, strict=True)
        return with_ones(np.asarray([of_example(accepted, answer) for accepted, answer in pairs], dtype=np.float64))

    return Sums(parts, mean_of, counts=False)


FORMULAS: dict[str, Formula] = {"exact_match": _mean(exact_match), "answer_f1": _mean(answer_f1)}
