"""Chooses the text-generating head for a kind of model."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tlbench.modeling.encoder import Encoder
from tlbench_hf.generation.causal import causal_head
from tlbench_hf.generation.seq2seq import seq2seq_head
from tlbench_hf.generation.writing_head import GenerationSettings, TextHead


def text_head(
    kind: Literal["encoder-decoder", "decoder"],
    folder: Path,
    title: str,
    content: str | None,
    encoder: Encoder,
    generation: GenerationSettings,
) -> TextHead:
    """Returns a new text-generating head, in the encoder's dtype.

    Args:
        kind: Whether the folder's model is an encoder-decoder or decoder-only.
        folder: Contains configuration, weights and tokenizer.
        title: The backbone's name, for messages.
        content: Identifier of the pretrained weights; None for random weights.
        encoder: The encoder whose output the head reads.
        generation: Maximum length of the texts and width of the beam search.

    Raises:
        PluginError: A tensor of the decoder did not load.
    """
    if kind == "decoder":
        return causal_head(folder, title, content is not None, encoder, generation)
    return seq2seq_head(folder, title, content, encoder, generation)
