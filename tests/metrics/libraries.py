"""Reference implementations of all metrics, from the standard libraries or by definition, to test tlbench's against.

A formula takes references and predictions as lists (for metrics of probabilities, rows of them) and the positive class.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tlbench.metrics.builtin import answering as answers
from tlbench.metrics.builtin.probability import BINS, UNDEFINED
from tlbench.metrics.builtin.text_overlap import references as as_sacrebleu
from tlbench.metrics.scored import Scored

Formula: TypeAlias = Callable[[Any, Any, int], float]


def _accuracy(references: Any, predictions: Any, positive: int) -> float:
    from sklearn.metrics import accuracy_score

    if isinstance(references[0], list) and isinstance(references[0][0], str):
        references = [tag for tags in references for tag in tags]
        predictions = [tag for tags in predictions for tag in tags]
    return float(accuracy_score(np.asarray(references), np.asarray(predictions)))


def _of_positive(name: str) -> Formula:
    def formula(references: Any, predictions: Any, positive: int) -> float:
        from sklearn import metrics

        # One class against the rest, which defines the score for any number of classes.
        true, predicted = np.asarray(references) == positive, np.asarray(predictions) == positive
        return float(getattr(metrics, f"{name}_score")(true, predicted, pos_label=True, zero_division=0))

    return formula


def _averaged(name: str, average: str) -> Formula:
    def formula(references: Any, predictions: Any, positive: int) -> float:
        from sklearn import metrics

        pair = np.asarray(references), np.asarray(predictions)
        return float(getattr(metrics, f"{name}_score")(*pair, average=average, zero_division=0))

    return formula


def _matthews(references: Any, predictions: Any, positive: int) -> float:
    from sklearn.metrics import matthews_corrcoef

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns where the coefficient is undefined and returns 0
        return float(matthews_corrcoef(np.asarray(references), np.asarray(predictions)))


def _roc_auc(references: Any, predictions: Any, positive: int) -> float:
    from sklearn.metrics import roc_auc_score

    true, probabilities = np.asarray(references), np.asarray(predictions)
    if true.ndim == 1 and probabilities.shape[1] == 2:
        true, probabilities = (true == positive)[:, None], probabilities[:, [positive]]
    elif true.ndim == 1:
        true = true[:, None] == np.arange(probabilities.shape[1])
    areas = [roc_auc_score(a, b) for a, b in zip(true.T, probabilities.T, strict=True) if len(np.unique(a)) == 2]
    return float(np.mean(areas)) if areas else UNDEFINED


def _log_loss(references: Any, predictions: Any, positive: int) -> float:
    from sklearn.metrics import log_loss

    probabilities = np.asarray(predictions)
    return float(log_loss(np.asarray(references), probabilities, labels=np.arange(probabilities.shape[1])))


def _calibration_error(references: Any, predictions: Any, positive: int) -> float:
    true, probabilities = np.asarray(references), np.asarray(predictions)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    error = 0.0
    for number in range(1, BINS + 1):
        inside = (confidence * BINS > number - 1) & ((confidence * BINS <= number) | (number == BINS))
        if inside.any():
            error += float(inside.mean() * abs(right[inside].mean() - confidence[inside].mean()))
    return error


def _pearson(references: Any, predictions: Any, positive: int) -> float:
    from scipy.stats import pearsonr

    return _correlation(pearsonr, references, predictions)


def _spearman(references: Any, predictions: Any, positive: int) -> float:
    from scipy.stats import spearmanr

    return _correlation(spearmanr, references, predictions)


def _correlation(formula: Callable[..., Any], references: Any, predictions: Any) -> float:
    x, y = np.asarray(references), np.asarray(predictions)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(formula(x, y).statistic)


def _top5(references: Any, predictions: Any, positive: int) -> float:
    right = 0
    for true, row in zip(references, predictions, strict=True):
        order = sorted(range(len(row)), key=lambda k: (-row[k], k))[:5]
        right += true in order and row[true] > 0
    return right / len(references)


def _of_numbers(name: str) -> Formula:
    def formula(references: Any, predictions: Any, positive: int) -> float:
        from sklearn import metrics

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # R² of a single example is undefined
            return float(getattr(metrics, name)(np.asarray(references), np.asarray(predictions)))

    return formula


def _r2(references: Any, predictions: Any, positive: int) -> float:
    score = _of_numbers("r2_score")(references, predictions, positive)
    # scikit-learn returns NaN for a single example; tlbench treats it as constant targets.
    return score if np.isfinite(score) else float(references == predictions)


def _balanced(references: Any, predictions: Any, positive: int) -> float:
    from sklearn.metrics import balanced_accuracy_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes without targets
        return float(balanced_accuracy_score(np.asarray(references), np.asarray(predictions)))


def _entities(name: str) -> Formula:
    def formula(references: Any, predictions: Any, positive: int) -> float:
        from seqeval import metrics

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tags that are not in BIO form
            return float(getattr(metrics, name)(list(references), list(predictions), zero_division=0))

    return formula


def _answers(of_example: Callable[[Any, str], float]) -> Formula:
    def formula(references: Any, predictions: Any, positive: int) -> float:
        return float(np.mean([of_example(*pair) for pair in zip(references, predictions, strict=True)]))

    return formula


def _rouge(name: str) -> Formula:
    def formula(references: Any, predictions: Any, positive: int) -> float:
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer([name], use_stemmer=True)
        pairs = zip(references, predictions, strict=True)
        return float(np.mean([scorer.score_multi(texts or [""], text)[name].fmeasure for texts, text in pairs]))

    return formula


def _sacrebleu(name: str) -> Formula:
    def formula(references: Any, predictions: Any, positive: int) -> float:
        from sacrebleu import metrics

        scored = Scored(list(map(tuple, references)), list(predictions))  # type: ignore[arg-type]
        corpus = getattr(metrics, name)().corpus_score(scored.values.tolist(), as_sacrebleu(scored))
        return float(corpus.score) / 100

    return formula


FORMULAS: dict[str, Formula] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced,
    "top5_accuracy": _top5,
    "mse": _of_numbers("mean_squared_error"),
    "rmse": _of_numbers("root_mean_squared_error"),
    "mae": _of_numbers("mean_absolute_error"),
    "r2": _r2,
    "precision": _of_positive("precision"),
    "recall": _of_positive("recall"),
    "f1": _of_positive("f1"),
    "precision_macro": _averaged("precision", "macro"),
    "recall_macro": _averaged("recall", "macro"),
    "f1_macro": _averaged("f1", "macro"),
    "f1_micro": _averaged("f1", "micro"),
    "f1_weighted": _averaged("f1", "weighted"),
    "matthews": _matthews,
    "roc_auc": _roc_auc,
    "log_loss": _log_loss,
    "calibration_error": _calibration_error,
    "pearson": _pearson,
    "spearman": _spearman,
    "entity_f1": _entities("f1_score"),
    "entity_precision": _entities("precision_score"),
    "entity_recall": _entities("recall_score"),
    "exact_match": _answers(answers.exact_match),
    "answer_f1": _answers(answers.answer_f1),
    "rouge1": _rouge("rouge1"),
    "rouge2": _rouge("rouge2"),
    "rougeL": _rouge("rougeL"),
    "bleu": _sacrebleu("BLEU"),
    "chrf": _sacrebleu("CHRF"),
}
