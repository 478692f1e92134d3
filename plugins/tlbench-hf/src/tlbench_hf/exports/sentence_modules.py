"""Writes the modules by which sentence-transformers loads an encoder, its readout and the layers on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tlbench.contracts.exports.forms import DenseHead, FeatureModel

LIBRARY = "sentence-transformers"
_POOLING = {
    "mean": "pooling_mode_mean_tokens", "first": "pooling_mode_cls_token", "last": "pooling_mode_lasttoken",
}  # fmt: skip
_ACTIVATIONS = {"gelu": "torch.nn.modules.activation.GELU", "relu": "torch.nn.modules.activation.ReLU"}
_IDENTITY = "torch.nn.modules.linear.Identity"
# The names that all versions of the library load.
_MODULES = "sentence_transformers.models"


def write_sentence_modules(model: FeatureModel, folder: Path, length: int) -> str:
    """Writes the files beside a model of transformers, and returns Python that loads them; empty if there is no form.

    With a linear head or several layers that read one row, the modules end in these, so that `encode` returns logits;
    with another head it returns the readout.

    Args:
        model: An encoder and a head that reads whole examples.
        folder: A folder with the encoder as transformers has it.
        length: Maximum number of tokens per row.
    """
    name = _POOLING.get(model.encoder.readout)
    if name is None or model.adapter is not None or model.encoder.underlying is not model.encoder:
        return ""
    paths = {"": "Transformer", "1_Pooling": "Pooling"}
    _write(folder / "sentence_bert_config.json", {"max_seq_length": length, "do_lower_case": False})
    modes = dict.fromkeys(_POOLING.values(), False) | {name: True}
    _write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": model.encoder.width, **modes})
    head = model.head if isinstance(model.head, DenseHead) and model.pairs == "joined" else None
    for number, _ in enumerate(head.layers if head else (), 2):
        paths[f"{number}_Dense"] = "Dense"
    if head is not None:
        _write_layers(head, folder)
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"{_MODULES}.{kind}"}
        for number, (path, kind) in enumerate(paths.items())
    ]
    _write(folder / "modules.json", modules)
    what = "logits" if head is not None else "embeddings"
    return (
        "from sentence_transformers import SentenceTransformer\n"
        f'model = SentenceTransformer("{{folder}}")\n{what} = model.encode(["a text"])'
    )


def remark(model: FeatureModel) -> str:
    """Returns what `encode` of the loaded model returns, in a sentence."""
    if isinstance(model.head, DenseHead) and model.pairs == "joined":
        return (
            "transformers has no class for this readout. `encode` returns logits, in the order of the classes in "
            "`model.json`; without the last modules, as in `model[:2]`, the embeddings. `predict.py` names the classes:"
        )
    return (
        "transformers has no class for this readout. `encode` returns the embeddings; the head on them is in "
        "`head.safetensors`, and `predict.py` applies it:"
    )


def _write_layers(head: DenseHead, folder: Path) -> None:
    from safetensors.torch import save_file

    for number, (weight, bias) in enumerate(head.layers):
        last = number + 1 == len(head.layers)
        part = folder / f"{number + 2}_Dense"
        activation = _IDENTITY if last else _ACTIVATIONS[head.activation or "gelu"]
        outputs, inputs = weight.shape
        _write(
            part / "config.json",
            {"in_features": inputs, "out_features": outputs, "bias": True, "activation_function": activation},
        )
        tensors = {"linear.weight": weight, "linear.bias": bias}
        save_file(
            {name: one.detach().cpu().float().contiguous().clone() for name, one in tensors.items()},
            str(part / "model.safetensors"),
        )


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
