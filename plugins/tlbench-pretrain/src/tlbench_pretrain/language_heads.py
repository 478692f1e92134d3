"""Heads of language modelling: masked tokens, the next token, and whether one sentence follows another."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from tlbench import PluginError, Vocabulary
from tlbench.modeling.data import Batch, Data
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench_pretrain.masking import masked
from tlbench_pretrain.pretraining import PretrainingHead

INITIAL = 0.02
"""Standard deviation of new weights, as in BERT and GPT-2."""


class LanguageHead(PretrainingHead):
    """Predicts tokens with an output layer that is tied to the encoder's token embeddings.

    For masked tokens a new transform (linear, GELU, normalisation) is below it, as in BERT; for the next token none is,
    unless the embeddings have another width.
    """

    measure: ClassVar[str] = "lm_loss"

    def __init__(self, encoder: Encoder, vocabulary: Vocabulary, *, next_sentence: bool = False) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        # Registered here too: the training loop looks for tied tables, whose gradients are dense.
        self.table = token_embeddings(encoder.native).weight
        size, width = self.table.shape
        self.bias = nn.Parameter(torch.zeros(size))
        below: list[nn.Module] = []
        if vocabulary.objective == "masked":
            below = [nn.Linear(encoder.width, width), nn.GELU(), nn.LayerNorm(width)]
        elif width != encoder.width:
            below = [nn.Linear(encoder.width, width, bias=False)]
        self.transform = nn.Sequential(*below)
        self.follows: nn.Sequential | None = None
        if next_sentence:
            self.follows = nn.Sequential(
                nn.Linear(encoder.width, encoder.width), nn.Tanh(), nn.Linear(encoder.width, 2)
            )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=INITIAL)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, encoder: Encoder, hidden: Hidden) -> Tensor:
        """Returns logits over the vocabulary, (B, T, V)."""
        return self._logits(hidden.x)

    def losses(self, encoder: Encoder, batch: Batch, targets: Tensor) -> tuple[Tensor, ...]:
        """Returns the cross-entropy of each predicted token and, if asked for, of each pair of sentences."""
        ids: Tensor = batch[self.vocabulary.ids]
        if self.vocabulary.objective == "causal":
            hidden = encoder(batch)
            states, labels = hidden.x[:, :-1], ids[:, 1:]
            predicted = torch.ones_like(labels, dtype=torch.bool) if hidden.mask is None else hidden.mask[:, 1:]
        else:
            changed, predicted = masked(ids, self.vocabulary, len(self.table))
            hidden = encoder({**batch, self.vocabulary.ids: changed})
            states, labels = hidden.x, ids
        tokens = functional.cross_entropy(self._logits(states[predicted]).float(), labels[predicted], reduction="none")
        if self.follows is None:
            return (tokens,)
        states = hidden.x[:, 0].to(self.bias.dtype)
        return tokens, functional.cross_entropy(self.follows(states).float(), targets, reduction="none")

    def targets(self, data: Data) -> Tensor:
        """Returns whether the second sentence follows the first, (rows,) 0 or 1; zeros without such pairs."""
        return super().targets(data) if self.follows is None else torch.from_numpy(data.targets).long()

    def _logits(self, states: Tensor) -> Tensor:
        transformed = self.transform(states.to(self.bias.dtype))
        return functional.linear(transformed, self.table.to(transformed.dtype), self.bias)


def token_embeddings(native: Any) -> nn.Embedding:
    """Returns the module with the vectors of the token ids.

    Raises:
        PluginError: There is none.
    """
    if hasattr(native, "get_input_embeddings"):
        found = native.get_input_embeddings()
    else:
        tables = [module for module in native.modules() if isinstance(module, nn.Embedding)]
        found = max(tables, key=lambda table: table.num_embeddings, default=None)
    if not isinstance(found, nn.Embedding):
        raise PluginError(f"{type(native).__name__} has no table of token embeddings to predict tokens with")
    return found
