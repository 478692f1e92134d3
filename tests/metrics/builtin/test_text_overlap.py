"""ROUGE, BLEU, chrF and entity metrics on examples with known scores."""

import pytest

from tlbench.metrics.builtin.tagging import entities_of
from tlbench.metrics.resampling import score, statistics
from tlbench.metrics.scored import Scored


def test_rouge_is_the_best_over_references_and_stems():
    scored = Scored([("the dogs were running", "birds"), ("a b c d",)], ["the dog runs", "a c d"])
    # After stemming, "dog" and "run" match; the second text has 3 of 4 words, 1 of 3 bigrams, and 3 words in order.
    assert score("rouge1", scored) == pytest.approx((2 * 3 / 7 + 2 * 3 / 7) / 2)
    assert score("rouge2", scored) == pytest.approx((2 * 1 / 5 + 2 * 1 / 5) / 2)
    assert score("rougeL", scored) == pytest.approx((2 * 3 / 7 + 2 * 3 / 7) / 2)


def test_bleu_and_chrf_are_sacrebleus_of_the_corpus():
    from sacrebleu import corpus_bleu, corpus_chrf

    predictions = ["The dog bit the man.", "It was not unexpected.", "The man bit him first."]
    first = ["The dog bit the man.", "It was not unexpected.", "The man bit him first."]
    second = ["The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."]
    assert score("bleu", Scored(list(zip(first, second, strict=True)), predictions)) == pytest.approx(1)
    scored = Scored([(text,) for text in second], predictions)
    assert score("bleu", scored) == pytest.approx(corpus_bleu(predictions, [second]).score / 100, abs=1e-12)
    assert score("chrf", scored) == pytest.approx(corpus_chrf(predictions, [second]).score / 100, abs=1e-12)
    assert 0 < score("bleu", scored) < 0.6


def test_examples_may_have_different_numbers_of_references():
    both = Scored([("a b c d e", "a b c d f"), ("x y z w",)], ["a b c d f", "x y z w"])
    assert score("bleu", both) == pytest.approx(1)
    assert score("chrf", both) == pytest.approx(1)


@pytest.mark.parametrize("metric", ["rouge1", "rouge2", "rougeL", "bleu", "chrf"])
def test_empty_texts_score_nothing_and_break_nothing(metric):
    assert score(metric, Scored([("a b c d",), ("",)], ["", ""])) == 0
    assert score(metric, Scored([(), ("a",)], ["a b", ""])) == 0


def test_statistics_of_texts_are_cached():
    scored = Scored([("a b",)] * 3, ["a b"] * 3)
    assert statistics("rouge1", scored) is statistics("rouge1", scored)
    assert statistics("rouge2", scored) is not statistics("rouge1", scored)


@pytest.mark.parametrize(
    ("tags", "entities"),
    [
        ("B-PER I-PER O", {("PER", 0, 1)}),
        ("B-PER B-PER", {("PER", 0, 0), ("PER", 1, 1)}),
        ("I-PER I-LOC I-LOC", {("PER", 0, 0), ("LOC", 1, 2)}),
        ("O I-creative-work I-creative-work", {("creative-work", 1, 2)}),
        ("B-PER O I-PER", {("PER", 0, 0), ("PER", 2, 2)}),
        ("B-PER I-LOC", {("PER", 0, 0), ("LOC", 1, 1)}),
        ("O", set()),
    ],
)
def test_entities(tags, entities):
    assert entities_of(tags.split()) == entities


def test_an_entity_is_right_only_as_a_whole():
    scored = Scored([("B-PER", "I-PER", "O", "B-LOC")], [("B-PER", "O", "O", "B-LOC")])
    assert score("entity_f1", scored) == 0.5
    assert score("accuracy", scored) == 0.75
