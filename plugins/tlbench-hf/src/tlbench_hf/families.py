"""What is declared of each family of models, by the `model_type` of its configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tlbench import UsageError
from tlbench_hf.sources import POOLING

_BIDIRECTIONAL = """
albert bart big_bird bert camembert convbert data2vec-text deberta deberta-v2 distilbert electra ernie eurobert ibert
marian mbart megatron-bert mobilebert modernbert mpnet mra mt5 nystromformer pegasus rembert roberta
roberta-prelayernorm roc_bert roformer squeezebert t5 umt5 xlm-roberta xlm-roberta-xl xmod yoso
"""
_CAUSAL = """
biogpt bloom codegen cohere cohere2 ctrl falcon gemma gemma2 gemma3_text glm gpt2 gpt_bigcode gpt_neo gpt_neox gptj
granite helium llama mistral mixtral mpt nemotron olmo olmo2 opt phi phi3 qwen2 qwen2_moe qwen3 qwen3_moe smollm3
stablelm starcoder2 xglm xlnet
"""

_TEXT_TO_TEXT = frozenset({"bart", "marian", "mt5", "pegasus", "t5", "umt5"})
"""Families with a decoder that reads nothing but the encoder's states and its own words."""
_NO_PROMPT = frozenset({"xlnet"})
"""Families that read in one direction and yet do not write on from a prompt as it stands."""

READOUTS = {family: "mean" for family in _BIDIRECTIONAL.split()} | {family: "last" for family in _CAUSAL.split()}
"""The mean over tokens fits trained and untrained poolers alike; where attention is causal (or, in XLNet, the class
token stands at the end) only the last token has seen all the others."""

OFFSET_POSITIONS = frozenset(
    {"camembert", "data2vec-text", "ibert", "mpnet", "roberta", "roberta-prelayernorm"}
    | {"xlm-roberta", "xlm-roberta-xl", "xmod"}
)
"""Positions are counted from the padding token's id + 1, so the table of positions is longer than the text may be."""

SOURCE = "{source}"
"""Where the source stands in a prompt."""

BLOCK_LISTS = {"albert": "encoder.albert_layer_groups"}
"""Where the blocks are, for families whose list is not as long as the number of layers."""


OLD_OUTPUT_LAYER = "embed_out."
"""What checkpoints of GPT-NeoX call what transformers calls `lm_head`."""

ENCODER_DECODERS = frozenset({"bart", "marian", "mbart", "pegasus"})
"""Their encoder is no model of its own in transformers, but a part of one that also wants decoder inputs."""


def default_readout(folder: Path, config: Mapping[str, Any]) -> str:
    """Returns the readout that the folder's own sentence-transformers file or its family declares.

    Raises:
        UsageError: Neither does.
    """
    pooling = folder / POOLING
    if pooling.is_file():
        declared = json.loads(pooling.read_text(encoding="utf-8"))
        for key, readout in (("mean_tokens", "mean"), ("cls_token", "first"), ("lasttoken", "last")):
            if declared.get(f"pooling_mode_{key}"):
                return readout
    family = str(config.get("model_type", ""))
    if family in READOUTS:
        return READOUTS[family]
    raise UsageError(f"no readout is declared for the family {family!r}: add [readout=mean], first, last or pooler")


def writer(config: Mapping[str, Any]) -> Literal["encoder-decoder", "decoder"] | None:
    """Returns what a model of this configuration writes texts with, or None if it cannot."""
    family = str(config.get("model_type", ""))
    if family in _TEXT_TO_TEXT:
        # an encoder that was saved alone says so
        return "encoder-decoder" if config.get("is_encoder_decoder", True) else None
    return "decoder" if family in _CAUSAL.split() and family not in _NO_PROMPT else None


def longest_input(config: Any) -> int | None:
    """Returns how many tokens the positions of a transformers configuration allow, or None if any number."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions < 1:
        return None
    if config.model_type in OFFSET_POSITIONS:
        return positions - (config.pad_token_id or 0) - 1
    return positions
