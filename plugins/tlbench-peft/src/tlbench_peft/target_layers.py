"""The layers of a backbone that get adapters, by the names that model families give them. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tlbench import PluginError

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder

FUSED = ("qkv", "Wqkv", "query_key_value", "qkv_proj", "c_attn", "in_proj")
"""Names of layers that compute queries, keys and values together."""
QUERY_VALUE = ("query", "value", "q", "v", "q_proj", "v_proj", "q_lin", "v_lin", "query_proj", "value_proj", *FUSED)
KEY_VALUE = ("key", "value", "k", "v", "k_proj", "v_proj", "k_lin", "v_lin", "key_proj", "value_proj", *FUSED)
FEEDFORWARD_OUTPUT = ("output.dense", "wo", "down_proj", "fc2", "lin2", "mlp.c_proj", "dense_4h_to_h", "mlp.Wo")
"""Names of the last layer of a feed-forward part. BERT's "output.dense" also names the last layer of its attention."""
ATTENTION_OUTPUT = ("SelfAttention.o", "o_proj", "out_proj", "out_lin", "attn.proj", "attn.o", "attn.c_proj", "attn.Wo")


def find(encoder: Encoder, first: int, names: Sequence[str]) -> list[str]:
    """Returns the paths of the linear layers in the stages from `first` on that have one of these names, in order.

    A name may have several parts, such as "attention.output.dense".
    """
    layers = adaptable(encoder, first)
    return [path for path in layers if any(path == name or path.endswith(f".{name}") for name in names)]


def adaptable(encoder: Encoder, first: int, *, convolutions: bool = False) -> list[str]:
    """Returns the paths of all linear layers in the stages from `first` on, also of plain convolutions if asked for."""
    from torch import nn

    modules: dict[str, Any] = dict(encoder.native.named_modules())
    # The names of parameters say which stage a layer belongs to; a bias repeats the layer of its weight.
    paths = dict.fromkeys(name.rpartition(".")[0] for stage in encoder.stages[first:] for name in stage.parameters)

    def fits(module: Any) -> bool:
        if isinstance(module, nn.Conv2d):
            return convolutions and module.groups == 1
        # GPT-2's linear layers are a class of transformers, which may not be installed.
        return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"

    return [path for path in paths if fits(modules[path])]


def chosen(
    encoder: Encoder,
    first: int,
    targets: str,
    known: Mapping[str, Any],
    *,
    otherwise: Sequence[str] = QUERY_VALUE,
    convolutions: bool = False,
) -> list[str]:
    """Returns the paths of the layers that the option `targets` chooses in the stages from `first` on.

    Args:
        encoder: The encoder.
        first: The lowest stage.
        targets: "attention", "all", or names joined by "+".
        known: What "attention" chooses, by the model type of transformers' configuration: names of layers, as in peft.
        otherwise: What "attention" chooses in all other models.
        convolutions: Whether "all" includes convolutions.

    Raises:
        PluginError: There is no such layer.
    """
    if targets == "all":
        paths = adaptable(encoder, first, convolutions=convolutions)
    elif targets == "attention":
        names = known.get(model_type(encoder), otherwise)
        paths = find(encoder, first, (names,) if isinstance(names, str) else names)
    else:
        paths = find(encoder, first, targets.split("+"))
    if not paths:
        other = "targets=all" if targets != "all" else "another strategy"
        raise PluginError(f"{type(encoder.native).__name__} has no layer for targets={targets}: choose {other}")
    return paths


def model_type(encoder: Encoder) -> str:
    """Returns the model type of transformers' configuration, such as "bert"; "" for models of other libraries."""
    return str(getattr(getattr(encoder.native, "config", None), "model_type", ""))
