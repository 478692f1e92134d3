"""What a text backbone must keep to where the answer is a part of the input: words and spans."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import PluginError
from tlbench.contracts.outputs import Answer, Output, Predictions, Span, TokenClasses
from tlbench.contracts.task import Example, Examples
from tlbench.modeling.heads import new_head

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head

WORDS = "the a old new cat dog tree river sees finds likes under over quick small and not every my blue".split()
LONG = 150
"""Words: more than fit into one row of most backbones."""


class PartsConformance:
    """The checks of `BackboneConformance` for `TokenClasses` and `Span`; skipped where the backbone refuses them."""

    backbone: ClassVar[Backbone]

    def test_words_are_found_again(self) -> None:
        """A word begins at one position of one row, and what is said there is said of the word."""
        import torch

        data = self._featurized(sentences(), TokenClasses(("O", "B-x", "I-x")))
        assert data.alignment is not None, "there is no alignment"
        found: list[list[int]] = [[] for _ in data.examples]
        for owner, words in zip(data.owners.tolist(), data.alignment, strict=True):
            found[owner] += words[words >= 0].tolist()
        for example, indices in zip(data.examples, found, strict=True):
            count = len(example.inputs[0])
            assert len(indices) == len(set(indices)), f"{example.id}: a word begins twice"
            assert set(indices) <= set(range(count)), f"{example.id}: there is no such word"
            assert count == LONG or len(indices) == count, f"{example.id}: {count} words, {len(indices)} begin"
        head = new_head(self.backbone, TokenClasses(("O", "B-x", "I-x")), self.backbone.load())
        wanted = head.targets(data)
        told = head.outputs(torch.nn.functional.one_hot(wanted.clamp(min=0), 3).float() * 9)
        answers = head.merge([told], data).values
        for example, answer in zip(data.examples, answers, strict=True):
            assert len(answer) == len(example.inputs[0])
            assert answer == example.target or len(answer) == LONG, f"{example.id}: {answer}, and not {example.target}"

    def test_words_can_be_learnt(self, encoder: Encoder) -> None:
        """The head on words gives a finite loss with a gradient, and a class for each word."""
        output = TokenClasses(("O", "B-x", "I-x"))
        for example, answer in self._answered(encoder, sentences(), output):
            assert len(answer) == len(example.inputs[0])
            assert set(answer) <= {0, 1, 2}

    def test_spans_are_found_again(self) -> None:
        """What is said of the positions of an answer gives back its text, cut out of the context."""
        import torch

        data = self._featurized(questions(), Span())
        assert data.alignment is not None, "there is no alignment"
        for owner, places in zip(data.owners.tolist(), data.alignment, strict=True):
            context = data.examples[owner].inputs[1]
            inside = places[places[:, 0] >= 0]
            assert (inside[:, 0] <= inside[:, 1]).all(), "a token ends before it begins"
            assert (inside <= len(context)).all(), "a token lies beyond the context"
            assert (places[places[:, 0] < 0] == -1).all()
        head = new_head(self.backbone, Span(), self.backbone.load())
        wanted = head.targets(data)
        longest = max(len(places) for places in data.alignment)
        logits = torch.nn.functional.one_hot(wanted, longest).transpose(1, 2).float() * 9
        answers = head.merge([head.outputs(logits)], data).values
        seen = {owner for owner, place in zip(data.owners.tolist(), wanted.tolist(), strict=True) if any(place)}
        assert {0, 1} <= seen, "no window shows the answer of a short context"
        for number in sorted(seen):
            texts = [answer.text for answer in data.examples[number].target]
            assert answers[number] in texts, f"{answers[number]!r}, and not {texts}"

    def test_spans_can_be_learnt(self, encoder: Encoder) -> None:
        """The head on questions gives a finite loss with a gradient, and a piece of each context."""
        for example, answer in self._answered(encoder, questions(), Span()):
            assert answer
            assert answer in example.inputs[1]

    def _featurized(self, examples: Examples, output: Output) -> Data:
        if self.backbone.modality != "text":
            pytest.skip("words and spans are of texts")
        try:
            return self.backbone.featurize(examples, output)
        except PluginError as error:
            pytest.skip(f"refused: {error}")

    def _answered(self, encoder: Encoder, examples: Examples, output: Output) -> list[tuple[Example, Any]]:
        head, data = new_head(self.backbone, output, encoder), self._featurized(examples, output)
        return list(zip(examples, answered(encoder, head, data).values, strict=True))


def answered(encoder: Encoder, head: Head, data: Data) -> Predictions:
    """Returns a new head's answers, after a step backward: its loss is finite and it gets a gradient."""
    import torch

    head.prepare(data)
    batch = data.batch(range(len(data)))
    with torch.no_grad():
        hidden = encoder(batch)
    loss = head.loss(head(encoder, hidden), head.targets(data))
    assert torch.isfinite(loss)
    loss.backward()
    assert any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in head.parameters())
    with torch.no_grad():
        predictions = head.eval().merge([head.decode(encoder, batch)], data)
    assert predictions.ids == data.ids
    return predictions


def sentences() -> Examples:
    """Returns sentences of words with a class each; one of a word, and one longer than most rows."""
    generator = random.Random(0)
    drawn = [tuple(generator.choices(WORDS, k=count)) for count in (1, 5, 9, LONG)]
    return Examples(Example(f"words-{i}", (words,), tuple(len(w) % 3 for w in words)) for i, words in enumerate(drawn))


def questions() -> Examples:
    """Returns questions with an answer of one word or three in contexts short and long."""
    generator = random.Random(0)
    rows = []
    for i, (count, size) in enumerate([(6, 1), (9, 3), (LONG, 1), (LONG, 3)]):
        words = generator.choices(WORDS, k=count)
        first = generator.randrange(1, count - size)
        answer = Answer(" ".join(words[first : first + size]), sum(len(word) + 1 for word in words[:first]))
        rows.append(Example(f"question-{i}", ("what does the dog see", " ".join(words)), (answer,)))
    return Examples(rows)
