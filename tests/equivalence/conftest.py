"""What tlbench is compared with: a plain training loop, and tiny models saved in their library's own format.

Both sides load weights in fp32, as a user's do, are compared so before training, and are then put into fp64: there a
trained model says whether the same was computed, on whatever processor (`tlbench.testing.agreement`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

WEIGHT_DECAY, WARMUP, LONGEST_GRADIENT = 0.01, 0.1, 1.0
"""What full fine-tuning takes unless it is told something else."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = "the a is of in not film song book lovely awful".split()


@pytest.fixture
def train_plainly() -> Callable[..., None]:
    """Trains a module the way a script does: AdamW, warm-up and linear decay, clipping."""

    def train(model: nn.Module, batches: Sequence[Any], loss_of: Callable[[Any], Tensor], lr: float) -> None:
        tables = {module.weight for module in model.modules() if isinstance(module, nn.Embedding)}
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        decayed = [weight for weight in weights if weight.ndim > 1 and weight not in tables]
        others = [weight for weight in weights if weight.ndim <= 1 or weight in tables]
        groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=lr)
        count, rising = len(batches), max(1, round(WARMUP * len(batches)))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / rising, (count - step) / (count - rising + 1))
        )
        model.train()
        for batch in batches:
            optimizer.zero_grad()
            loss_of(batch).backward()
            # torch's own clip_grad_norm_ divides by 1e-6 more than the length, which in fp64 is no rounding error
            gradients = [weight.grad for weight in weights if weight.grad is not None]
            length = torch.nn.utils.get_total_norm(gradients)
            for gradient in gradients:
                gradient.div_((length / LONGEST_GRADIENT).clamp(min=1.0))
            optimizer.step()
            schedule.step()
        model.eval()

    return train


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Any, Any], Path]:
    """Saves a model and a tokenizer into one folder."""

    def save(model: Any, tokenizer: Any) -> Path:
        folder = tmp_path / "model"
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return save


@pytest.fixture
def word_pieces() -> Any:
    """A tokenizer that cuts most words into letters, with BERT's special tokens."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces = [*special, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )


@pytest.fixture
def bytes_only() -> Callable[[bool], Any]:
    """Makes a tokenizer whose tokens are bytes; it ends a text by its end token if asked to."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    def make(ends: bool) -> Any:
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocabulary = {token: index for index, token in enumerate(["<pad>", "</s>", *alphabet])}
        backend = Tokenizer(models.BPE(vocabulary, []))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        if ends:
            backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
        return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="</s>")

    return make


@pytest.fixture
def tiny_bert(word_pieces: Any, saved: Callable[[Any, Any], Path]) -> Path:
    """A BERT of two blocks and width 32 without dropout, with weights large enough to tell texts apart."""
    import transformers

    config = transformers.BertConfig(
        vocab_size=len(word_pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=128, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.1,
    )  # fmt: skip
    torch.manual_seed(3)
    return saved(transformers.BertModel(config), word_pieces)


@pytest.fixture
def order() -> Callable[..., list[list[int]]]:
    """Returns the batches that a fit of seed 0 sees, given the lengths of the rows."""

    def batches(lengths: Iterable[int], size: int, steps: int) -> list[list[int]]:
        from itertools import islice

        import numpy as np

        from tlbench.training import train_batches

        return list(islice(train_batches(np.asarray(list(lengths)), size, 0), steps))

    return batches
