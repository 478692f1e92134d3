"""Reads a model folder's metadata from its configuration and weight headers, without torch."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tlbench import Card
from tlbench_hf.families import OLD_OUTPUT_LAYER, longest_input, writer
from tlbench_hf.foreign_files import read_settings
from tlbench_hf.weight_headers import StoredTensors, stored_tensors

# Families name the same setting differently; the first key that is present counts.
_WIDTH = ("hidden_size", "d_model", "n_embd", "dim")
_HEADS = ("num_attention_heads", "num_heads", "n_head", "n_heads", "encoder_attention_heads")
_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop", "dropout_rate")
_LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers")
_POSITIONS = ("max_position_embeddings", "n_positions")
# Patterns over parameter names: the block's number, pretraining heads, and the decoder of an encoder-decoder.
_BLOCK = re.compile(r"(?:^|\.)(?:layers?|h|block|blocks)\.(\d+)\.")
_HEAD = re.compile(r"(?:^|\.)(?:cls|lm_head|embed_out|classifier|score|qa_outputs|predictions)\.|^final_logits_bias$")
_ANY_DECODER = re.compile(r"(?:^|\.)decoder\.")
_DECODER = re.compile(r"^(?:model\.)?decoder\.(?!embed_tokens\.)")
_OUTPUT_LAYER = re.compile(rf"^(?:lm_head\.|{re.escape(OLD_OUTPUT_LAYER)})")


def read_card(folder: Path, depth: int | None, *, pooler: bool, writes: bool = False) -> Card:
    """Returns family, width, number of stages and number of parameters of the model in a folder.

    Stages and parameters are counted for the lowest `depth` blocks (all if None), and a pooler's parameters only if
    `pooler`. If `writes`, the card also has the number of parameters of the decoder or, for a decoder-only model, of
    the output layer.
    """
    # transformers' own configuration classes would import torch.
    config = read_settings(folder, "config.json")
    shapes = {tensor.name: tensor.shape for tensor in stored_tensors(folder) if _is_weight(tensor)}
    decoder_only = writer(config) == "decoder"
    layers = _first(config, _LAYERS)
    return Card(
        family=str(config.get("model_type", "")),
        parameters=_count(shapes, depth, pooler, decoder_only) if shapes else None,
        width=_first(config, _WIDTH),
        stages=layers if depth is None or layers is None else min(depth, layers),
        most_positions=_most_positions(folder, config),
        dropped_heads=_first(config, _HEADS) if any(config.get(name) for name in _DROPOUT) else None,
        decoder_parameters=_decoder_parameters(shapes, config, decoder_only) if shapes and writes else None,
        # A model without its upper blocks has lost the classifier that reads them.
        classes=classes_in(config) if depth is None else (),
    )


def classes_in(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the class names of the sequence classifier that a configuration describes, in index order.

    Empty if the checkpoint has no such classifier, or if its classes are not named.
    """
    names = config.get("id2label")
    is_classifier = any(str(one).endswith("ForSequenceClassification") for one in config.get("architectures") or ())
    if not is_classifier or not isinstance(names, dict) or {*names} != {str(index) for index in range(len(names))}:
        return ()
    found = tuple(str(names[str(index)]) for index in range(len(names)))
    # The library's own names, LABEL_0 and so on, say nothing.
    return () if all(name == f"LABEL_{index}" for index, name in enumerate(found)) else found


def _most_positions(folder: Path, config: Mapping[str, Any]) -> int | None:
    """Returns the most tokens that the model's position table and its tokenizer's settings allow; None if unlimited."""
    named = {"model_type": "", "pad_token_id": None, "max_position_embeddings": _first(config, _POSITIONS)}
    limits = [longest_input(SimpleNamespace(**{**named, **config}))]
    settings = folder / "tokenizer_config.json"
    if settings.is_file():
        limits.append(read_settings(folder, settings.name).get("model_max_length"))
    return min((limit for limit in limits if isinstance(limit, int)), default=None)


def _count(shapes: Mapping[str, tuple[int, ...]], depth: int | None, pooler: bool, decoder_only: bool) -> int:
    total = 0
    for name, shape in shapes.items():
        block = _BLOCK.search(name)
        removed = depth is not None and block is not None and int(block[1]) >= depth
        # The "decoder." of a decoder-only model, such as OPT's, is its encoder here.
        not_encoder = _HEAD.search(name) or (_ANY_DECODER.search(name) and not decoder_only)
        if not removed and not not_encoder and (pooler or "pooler." not in name):
            total += math.prod(shape)
    return total


def _decoder_parameters(shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, Any], decoder_only: bool) -> int:
    # Tied weights belong to the encoder's embeddings; old files store the output layer a second time.
    tied = config.get("tie_word_embeddings", False)
    patterns = [] if decoder_only else [_DECODER]
    patterns += [] if tied else [_OUTPUT_LAYER]
    return sum(math.prod(shape) for name, shape in shapes.items() if any(pattern.search(name) for pattern in patterns))


def _is_weight(tensor: StoredTensors) -> bool:
    # Integer tensors are position indices and the like.
    return tensor.dtype.startswith(("F", "BF")) and not tensor.is_table


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((config[name] for name in names if isinstance(config.get(name), int)), None)
