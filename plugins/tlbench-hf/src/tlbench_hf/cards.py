"""What a model folder says of itself: read from its configuration and the headers of its weights, without torch."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tlbench import Card
from tlbench_hf.sources import weight_files

_WIDTH = ("hidden_size", "d_model", "n_embd", "dim")
_LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers")
_BLOCK = re.compile(r"(?:^|\.)(?:layers?|h|block|blocks)\.(\d+)\.")
_NOT_ENCODER = re.compile(
    r"(?:^|\.)(?:cls|lm_head|classifier|score|qa_outputs|decoder|predictions)\.|^final_logits_bias$"
)
_DECODER = re.compile(r"^(?:model\.)?decoder\.(?!embed_tokens\.)")
_OUTPUT_LAYER = re.compile(r"^lm_head\.")
_LARGEST_HEADER = 100_000_000


def read_card(folder: Path, depth: int | None, *, pooler: bool, writes: bool = False) -> Card:
    """Returns family, size, width and stages; the stages and the parameters are those left at this depth.

    Of a model that writes also the size of its decoder, or of the output layer where it is one itself.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shapes = dict(_tensors(folder))
    layers = _first(config, _LAYERS)
    return Card(
        family=str(config.get("model_type", "")),
        parameters=_count(shapes, depth, pooler) if shapes else None,
        width=_first(config, _WIDTH),
        stages=layers if depth is None or layers is None else min(depth, layers),
        decoder_parameters=_decoder(shapes, config) if shapes and writes else None,
    )


def _count(shapes: Mapping[str, tuple[int, ...]], depth: int | None, pooler: bool) -> int:
    total = 0
    for name, shape in shapes.items():
        block = _BLOCK.search(name)
        cut = depth is not None and block is not None and int(block[1]) >= depth
        if not cut and not _NOT_ENCODER.search(name) and (pooler or "pooler." not in name):
            total += math.prod(shape)
    return total


def _decoder(shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, Any]) -> int:
    # A table of words that the encoder has as well counts there; old files hold a tied output layer once more.
    tied = config.get("tie_word_embeddings", False)
    parts = (_DECODER,) if tied else (_DECODER, _OUTPUT_LAYER)
    return sum(math.prod(shape) for name, shape in shapes.items() if any(part.search(name) for part in parts))


def _tensors(folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    for path in weight_files(folder):
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > _LARGEST_HEADER:
                continue
            header = json.loads(file.read(size))
        for name, tensor in header.items():
            # Integers are positions and the like, not weights.
            if name != "__metadata__" and tensor["dtype"].startswith(("F", "BF")):
                yield name, tuple(tensor["shape"])


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((config[name] for name in names if isinstance(config.get(name), int)), None)
