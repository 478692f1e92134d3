"""The head of encoder-decoder models (T5, BART): the pretrained decoder on the encoder's states."""

from __future__ import annotations

import copy
from functools import lru_cache
from pathlib import Path
from typing import Any

import transformers
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from tlbench import PluginError
from tlbench.modeling.encoder import Encoder
from tlbench.modeling.heads import Outputs
from tlbench_hf.generation.writing_head import (
    GenerationSettings,
    RemovedEncoder,
    SourceStates,
    TextHead,
    cross_entropy,
    dtype_of,
    remove_shared_weights,
    replace_module,
    token_log_likelihood,
    trim_targets,
)
from tlbench_hf.loading import load_whole, seeded
from tlbench_hf.sources import SEED


class Seq2SeqHead(TextHead):
    """A pretrained decoder with its output layer. It reads only the encoder's states, so cached states work too."""

    def loss(self, logits: SourceStates, targets: Tensor) -> Tensor:
        """Returns the mean loss per token under teacher forcing; targets are (B, L) token ids, -100 beyond the end."""
        scores, labels = self._target_logits(logits, targets)
        return cross_entropy(scores.flatten(0, 1), labels.flatten())

    def log_likelihood(self, logits: SourceStates, targets: Tensor) -> Tensor:
        """Returns the log-probability of each row's target, the end token included, (B,); arguments as for `loss`."""
        return token_log_likelihood(*self._target_logits(logits, targets)).sum(1)

    def _target_logits(self, logits: SourceStates, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Returns logits (B, L, V) under teacher forcing, and the targets (B, L) without columns of padding."""
        labels = trim_targets(targets)
        with self.lent(logits.table):
            answer = self.native(
                **_encoder_inputs(logits),
                # The library's own shift, because families differ in the token that a decoder starts with.
                decoder_input_ids=self.native.prepare_decoder_input_ids_from_labels(labels),
                use_cache=False,
            )
        return answer.logits, labels

    def outputs(self, logits: SourceStates) -> Outputs:
        """Returns the texts generated from the encoder's states."""
        with self.lent(logits.table):
            return Outputs(self.texts(self.write(**_encoder_inputs(logits))))


def seq2seq_head(
    folder: Path, title: str, content: str | None, encoder: Encoder, generation: GenerationSettings
) -> Seq2SeqHead:
    """Returns a new head with the pretrained decoder of a folder's model, in the encoder's dtype.

    Args:
        folder: Contains configuration, weights and tokenizer.
        title: The backbone's name, for messages.
        content: Identifier of the pretrained weights, "seed:<n>" for seeded random weights, or None for unseeded ones.
        encoder: The encoder whose output the head reads.
        generation: Maximum length of the texts and width of the beam search.

    Raises:
        PluginError: A tensor of the decoder did not load, or decoder and encoder share more than the input embeddings.
    """
    native, gaps = copy.deepcopy(_cached_decoder(folder, title, content)) if content else _decoder(folder, title, None)
    return Seq2SeqHead(native.to(dtype_of(encoder)), gaps, generation).eval()


@lru_cache(maxsize=2)
def _cached_decoder(folder: Path, title: str, content: str) -> tuple[Any, tuple[str, ...]]:
    # Every fit needs a new head, and reading a decoder from disk takes longer than copying it.
    return _decoder(folder, title, content)


def _decoder(folder: Path, title: str, content: str | None) -> tuple[Any, tuple[str, ...]]:
    auto = transformers.AutoModelForSeq2SeqLM
    if content is not None and content.startswith(SEED):
        with seeded(int(content.removeprefix(SEED))):
            native = load_whole(folder, title, auto, pretrained=False)
    else:
        native = load_whole(folder, title, auto, pretrained=content is not None)
    encoder = native.get_encoder()
    # Only the input embeddings may be shared: the head borrows them from the encoder while it runs.
    table = native.get_input_embeddings().weight
    owned = {id(weight) for weight in encoder.parameters()}
    replace_module(native, encoder, RemovedEncoder())
    try:
        shared = {id(weight) for weight in native.parameters()} & owned
        if not shared <= {id(table)}:
            raise ValueError(f"it shares {len(shared)} weights with the encoder")
        gaps = remove_shared_weights(native, owned)
    except ValueError as error:
        raise PluginError(f"{title}: its decoder cannot be separated from the encoder: {error}") from error
    return native, gaps


def _encoder_inputs(states: SourceStates) -> dict[str, Any]:
    """Returns the encoder's states as keyword arguments of the library's model."""
    # transformers takes attention masks as integers.
    mask = None if states.mask is None else states.mask.long()
    return {"encoder_outputs": BaseModelOutput(last_hidden_state=states.x), "attention_mask": mask}
