"""Conformance checks for text backbones on outputs that refer to parts of the input: word classes and spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import PluginError
from tlbench.contracts.outputs import Output, Predictions, Span, TokenClasses
from tlbench.contracts.task import Example, Examples
from tlbench.testing.conformance.inputs import LONG, questions, sentences

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head


class PartsConformance:
    """The part of `BackboneConformance` for `TokenClasses` and `Span`; skipped if the backbone does not support them.

    Guarantees: each word is aligned with at most one position; spans are aligned with their characters; perfect logits
    decode to the targets; both heads train.
    """

    backbone: ClassVar[Backbone]

    def test_word_alignment(self) -> None:
        """Each word is aligned with one position of one row, and perfect logits there decode to its class."""
        import torch

        from tlbench.modeling.heads import new_head

        data = self._featurized(sentences(), TokenClasses(("O", "B-x", "I-x")))
        assert data.alignment is not None, "there is no alignment"
        aligned: list[list[int]] = [[] for _ in data.examples]
        for owner, words in zip(data.owners.tolist(), data.alignment, strict=True):
            aligned[owner] += words[words >= 0].tolist()
        for example, indices in zip(data.examples, aligned, strict=True):
            count = len(example.inputs[0])
            assert len(indices) == len(set(indices)), f"{example.id}: a word begins twice in the alignment"
            assert set(indices) <= set(range(count)), f"{example.id}: the alignment has a word index out of range"
            # A backbone may truncate the long sentence, so some of its words may have no position.
            assert count == LONG or len(indices) == count, f"{example.id}: {count} words, {len(indices)} begin"
        head = new_head(self.backbone, TokenClasses(("O", "B-x", "I-x")), self.backbone.load())
        targets = head.targets(data)
        # Positions where no word begins have a negative target, which one_hot refuses; decoding ignores them.
        outputs = head.outputs(torch.nn.functional.one_hot(targets.clamp(min=0), 3).float() * 9)
        predicted = head.merge([outputs], data).values
        for example, tags in zip(data.examples, predicted, strict=True):
            assert len(tags) == len(example.inputs[0])
            assert tags == example.target or len(tags) == LONG, f"{example.id}: {tags}, and not {example.target}"

    def test_words_can_be_learnt(self, encoder: Encoder) -> None:
        """The word head has a finite loss with a gradient and predicts a class for each word."""
        output = TokenClasses(("O", "B-x", "I-x"))
        for example, tags in self._predicted(encoder, sentences(), output):
            assert len(tags) == len(example.inputs[0])
            assert set(tags) <= {0, 1, 2}

    def test_span_alignment(self) -> None:
        """Positions are aligned with characters of the context, and perfect logits decode to the answer's text."""
        import torch

        from tlbench.modeling.heads import new_head

        data = self._featurized(questions(), Span())
        assert data.alignment is not None, "there is no alignment"
        for owner, characters in zip(data.owners.tolist(), data.alignment, strict=True):
            context = data.examples[owner].inputs[1]
            inside = characters[characters[:, 0] >= 0]
            assert (inside[:, 0] <= inside[:, 1]).all(), "a token ends before it begins in the alignment"
            assert (inside <= len(context)).all(), "a token is aligned beyond the context"
            assert (characters[characters[:, 0] < 0] == -1).all()
        head = new_head(self.backbone, Span(), self.backbone.load())
        targets = head.targets(data)
        longest = max(len(characters) for characters in data.alignment)
        # Perfect logits: high at the first and last position of the answer, (rows, positions, 2).
        logits = torch.nn.functional.one_hot(targets, longest).transpose(1, 2).float() * 9
        predicted = head.merge([head.outputs(logits)], data).values
        # A window without the answer has the target (0, 0); a long context may be truncated before its answer.
        with_answer = {owner for owner, span in zip(data.owners.tolist(), targets.tolist(), strict=True) if any(span)}
        assert {0, 1} <= with_answer, "no window contains the answer of a short context"
        for number in sorted(with_answer):
            texts = [answer.text for answer in data.examples[number].target]
            assert predicted[number] in texts, f"{predicted[number]!r}, and not {texts}"

    def test_spans_can_be_learnt(self, encoder: Encoder) -> None:
        """The span head has a finite loss with a gradient and predicts a substring of each context."""
        for example, answer in self._predicted(encoder, questions(), Span()):
            assert answer
            assert answer in example.inputs[1]

    def _featurized(self, examples: Examples, output: Output) -> Data:
        if self.backbone.modality != "text":
            pytest.skip("only text backbones predict words and spans")
        skip_if_refused(self.backbone, output)
        try:
            return self.backbone.featurize(examples, output)
        except PluginError as error:
            pytest.skip(f"the backbone does not support this output: {error}")

    def _predicted(self, encoder: Encoder, examples: Examples, output: Output) -> list[tuple[Example, Any]]:
        from tlbench.modeling.heads import new_head

        # Featurized first, which skips the check if the backbone refuses this output.
        data = self._featurized(examples, output)
        head = new_head(self.backbone, output, encoder)
        return list(zip(examples, step_and_predict(encoder, head, data).values, strict=True))


def skip_if_refused(backbone: Backbone, output: Output) -> None:
    """Skips the check if the backbone refuses this output, as `Backbone.supports` lets it."""
    if reason := backbone.supports(output):
        pytest.skip(f"the backbone refuses this output: {reason}")


def step_and_predict(encoder: Encoder, head: Head, data: Data) -> Predictions:
    """Returns a new head's predictions, after asserting that the loss is finite and that the head gets a gradient."""
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
