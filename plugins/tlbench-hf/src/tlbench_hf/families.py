"""Properties of each family of models, by the `model_type` of its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from tlbench import UsageError
from tlbench.contracts.untrusted.regular_files import links_inside
from tlbench.contracts.untrusted.settings_files import read_json
from tlbench_hf.foreign_files import read_settings
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
"""Encoder-decoder families whose decoder reads only the encoder's states and the tokens generated so far."""
_NO_PROMPT = frozenset({"xlnet"})
"""Causal families that cannot simply continue a prompt (XLNet needs a permutation mask)."""

READOUTS = {family: "mean" for family in _BIDIRECTIONAL.split()} | {family: "last" for family in _CAUSAL.split()}
"""Default readout by family.

Bidirectional models default to the mean over tokens, which is suitable whether or not a checkpoint's pooler was
trained. With causal attention, only the last token has attended to all others. XLNet has its class token at the end.
"""

OFFSET_POSITIONS = frozenset(
    {"camembert", "data2vec-text", "ibert", "mpnet", "roberta", "roberta-prelayernorm"}
    | {"xlm-roberta", "xlm-roberta-xl", "xmod"}
)
"""Families whose position ids start at the padding id + 1: texts must be shorter than the position table."""

SOURCE = "{source}"
"""Placeholder of the source in a prompt template."""

BLOCK_LISTS = {"albert": "encoder.albert_layer_groups"}
"""Maps a family to the path of its block list where the list is not as long as the number of layers."""


OLD_OUTPUT_LAYER = "embed_out."
"""Prefix of the output layer's tensors in GPT-NeoX checkpoints; transformers calls this layer `lm_head`."""

ENCODER_DECODERS = frozenset({"bart", "marian", "mbart", "pegasus"})
"""Families for which transformers has no encoder-only class, so the encoder is taken from the complete model."""


def default_readout(folder: Path, config: Mapping[str, Any]) -> str:
    """Returns the readout that the folder's sentence-transformers file declares, else the default of the family.

    Raises:
        UsageError: The file declares no readout and the family has no default.
    """
    # How the weights were trained counts more than the family's default.
    pooling = folder / POOLING
    if pooling.is_file():
        declared = read_settings(folder, POOLING)
        for key, readout in (("mean_tokens", "mean"), ("cls_token", "first"), ("lasttoken", "last")):
            if declared.get(f"pooling_mode_{key}"):
                return readout
    family = str(config.get("model_type", ""))
    if family in READOUTS:
        return READOUTS[family]
    raise UsageError(f"no default readout for the family {family!r}: add [readout=mean], or first, last or pooler")


def is_sentence_encoder(folder: Path) -> bool:
    """Returns whether the folder's sentence-transformers files declare a model that embeds single texts.

    Cross-encoders, which read two texts in one row, and sparse encoders are none.
    """
    settings = _declared(folder / "config_sentence_transformers.json")
    if isinstance(settings, dict) and settings.get("model_type", "SentenceTransformer") != "SentenceTransformer":
        return False
    modules = _declared(folder / "modules.json")
    if isinstance(modules, list):
        types = [str(module.get("type", "")) for module in modules if isinstance(module, dict)]
        return any(name.endswith(".Pooling") for name in types)
    # A hub cache that another program filled may lack modules.json, whereas this file is known to be there or not.
    return (folder / POOLING).is_file()


def _declared(path: Path) -> Any:
    """Returns the content of a JSON file; None if it is missing or damaged."""
    with suppress(ValueError):
        return read_json(path, links=links_inside(path.parent))
    return None


def writer(config: Mapping[str, Any]) -> Literal["encoder-decoder", "decoder"] | None:
    """Returns the kind of decoder that a model can generate text with, or None if it has none."""
    family = str(config.get("model_type", ""))
    if family in _TEXT_TO_TEXT:
        # An encoder that was saved without its decoder has is_encoder_decoder false.
        return "encoder-decoder" if config.get("is_encoder_decoder", True) else None
    return "decoder" if family in _CAUSAL.split() and family not in _NO_PROMPT else None


def longest_input(config: Any) -> int | None:
    """Returns the maximum number of tokens that the position table allows, or None if there is no such limit."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions < 1:
        return None
    if config.model_type in OFFSET_POSITIONS:
        return positions - (config.pad_token_id or 0) - 1
    return positions
