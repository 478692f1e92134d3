"""What a model folder says of itself: read from its configuration and the headers of its weights, without torch."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tlbench import Card
from tlbench_hf.families import OLD_OUTPUT_LAYER, writer
from tlbench_hf.weight_headers import StoredTensors, stored_tensors

_WIDTH = ("hidden_size", "d_model", "n_embd", "dim")
_HEADS = ("num_attention_heads", "num_heads", "n_head", "n_heads", "encoder_attention_heads")
_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop", "dropout_rate")
_LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers")
_BLOCK = re.compile(r"(?:^|\.)(?:layers?|h|block|blocks)\.(\d+)\.")
_HEAD = re.compile(r"(?:^|\.)(?:cls|lm_head|embed_out|classifier|score|qa_outputs|predictions)\.|^final_logits_bias$")
_SECOND_HALF = re.compile(r"(?:^|\.)decoder\.")
_DECODER = re.compile(r"^(?:model\.)?decoder\.(?!embed_tokens\.)")
_OUTPUT_LAYER = re.compile(rf"^(?:lm_head\.|{re.escape(OLD_OUTPUT_LAYER)})")


def read_card(folder: Path, depth: int | None, *, pooler: bool, writes: bool = False) -> Card:
    """Returns family, size, width and stages; the stages and the parameters are those left at this depth.

    Of a model that writes also the size of its decoder, or of the output layer where it is one itself.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shapes = {tensor.name: tensor.shape for tensor in stored_tensors(folder) if _is_weight(tensor)}
    alone = writer(config) == "decoder"
    layers = _first(config, _LAYERS)
    return Card(
        family=str(config.get("model_type", "")),
        parameters=_count(shapes, depth, pooler, alone) if shapes else None,
        width=_first(config, _WIDTH),
        stages=layers if depth is None or layers is None else min(depth, layers),
        dropped_heads=_first(config, _HEADS) if any(config.get(name) for name in _DROPOUT) else None,
        decoder_parameters=_decoder(shapes, config, alone) if shapes and writes else None,
    )


def _count(shapes: Mapping[str, tuple[int, ...]], depth: int | None, pooler: bool, alone: bool) -> int:
    total = 0
    for name, shape in shapes.items():
        block = _BLOCK.search(name)
        cut = depth is not None and block is not None and int(block[1]) >= depth
        # A decoder alone, such as OPT's, is what encodes.
        other = _HEAD.search(name) or (_SECOND_HALF.search(name) and not alone)
        if not cut and not other and (pooler or "pooler." not in name):
            total += math.prod(shape)
    return total


def _decoder(shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, Any], alone: bool) -> int:
    # A table of words that the encoder has as well counts there; old files hold a tied output layer once more.
    tied = config.get("tie_word_embeddings", False)
    parts = [] if alone else [_DECODER]
    parts += [] if tied else [_OUTPUT_LAYER]
    return sum(math.prod(shape) for name, shape in shapes.items() if any(part.search(name) for part in parts))


def _is_weight(tensor: StoredTensors) -> bool:
    # Integers are positions and the like.
    return tensor.dtype.startswith(("F", "BF")) and not tensor.is_table


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((config[name] for name in names if isinstance(config.get(name), int)), None)
