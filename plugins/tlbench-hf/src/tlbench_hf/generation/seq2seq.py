"""Encoder-decoders: the pretrained decoder as a head on the encoder."""

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
    Absent,
    SourceStates,
    TextHead,
    Writing,
    cross_entropy,
    cut_to_batch,
    dtype_of,
    leave_gaps,
    take_out,
)
from tlbench_hf.loading import drawn_with, load_whole
from tlbench_hf.sources import SEED


class Seq2SeqHead(TextHead):
    """A decoder and its output layer; it reads the encoder's states, so cached ones serve as well."""

    def loss(self, logits: SourceStates, targets: Tensor) -> Tensor:
        """Returns the mean loss a token, each being shown those before it; targets are (B, L), -100 beyond the end."""
        labels = cut_to_batch(targets)
        with self.lent(logits.table):
            answer = self.native(
                **_read(logits),
                decoder_input_ids=self.native.prepare_decoder_input_ids_from_labels(labels),
                use_cache=False,
            )
        return cross_entropy(answer.logits.flatten(0, 1), labels.flatten())

    def outputs(self, logits: SourceStates) -> Outputs:
        """Returns the texts that are written from the encoder's states."""
        with self.lent(logits.table):
            return Outputs(self.texts(self.write(**_read(logits))))


def seq2seq_head(folder: Path, title: str, content: str | None, encoder: Encoder, writing: Writing) -> Seq2SeqHead:
    """Returns a new head with the pretrained decoder in a folder, in the encoder's dtype.

    Args:
        folder: Holds configuration, weights and tokenizer.
        title: The backbone's name, for messages.
        content: Names the weights, maybe by the seed that draws them; None for random ones.
        encoder: What the head is to stand on.
        writing: How texts are written.

    Raises:
        PluginError: A tensor of the decoder did not load, or is shared with the encoder in an unknown manner.
    """
    native, gaps = copy.deepcopy(_pristine(folder, title, content)) if content else _decoder(folder, title, None)
    return Seq2SeqHead(native.to(dtype_of(encoder)), gaps, writing).eval()


@lru_cache(maxsize=2)
def _pristine(folder: Path, title: str, content: str) -> tuple[Any, tuple[str, ...]]:
    # every fit gets a new head, and reading a decoder takes longer than copying it
    return _decoder(folder, title, content)


def _decoder(folder: Path, title: str, content: str | None) -> tuple[Any, tuple[str, ...]]:
    auto = transformers.AutoModelForSeq2SeqLM
    if content is not None and content.startswith(SEED):
        with drawn_with(int(content.removeprefix(SEED))):
            native = load_whole(folder, title, auto, pretrained=False)
    else:
        native = load_whole(folder, title, auto, pretrained=content is not None)
    encoder = native.get_encoder()
    table = native.get_input_embeddings().weight
    owned = {id(weight) for weight in encoder.parameters()}
    take_out(native, encoder, Absent())
    try:
        shared = {id(weight) for weight in native.parameters()} & owned
        if not shared <= {id(table)}:
            raise ValueError(f"{len(shared)} weights are shared with the encoder")
        gaps = leave_gaps(native, owned)
    except ValueError as error:
        raise PluginError(f"{title}: its decoder cannot stand alone: {error}") from error
    return native, gaps


def _read(memory: SourceStates) -> dict[str, Any]:
    mask = None if memory.mask is None else memory.mask.long()
    return {"encoder_outputs": BaseModelOutput(last_hidden_state=memory.x), "attention_mask": mask}
