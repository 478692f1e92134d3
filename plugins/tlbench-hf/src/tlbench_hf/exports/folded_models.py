"""Puts an encoder and a linear head into the library's own class for the task, if that computes the same."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from tlbench import Classes, MultiLabel, Output, Scalar
from tlbench.contracts.exports.forms import DenseHead, FeatureModel
from tlbench.modeling.activations.encoding import in_eval_mode
from tlbench_hf.exports.text_model_script import logits_of
from tlbench_hf.loading import quiet

_PROBLEMS = {
    Classes.kind: "single_label_classification",
    MultiLabel.kind: "multi_label_classification",
    Scalar.kind: "regression",
}


def folded(model: FeatureModel, output: Output, batch: Mapping[str, Tensor], image: bool) -> Any:
    """Returns a model of transformers with the head as its output layer; None if no class computes the same.

    Whether it does is found by trying: the class must have one linear layer beside the encoder, and give the same
    logits. Classes differ in what they put between the two, such as BERT's pooler.

    Args:
        model: An encoder and a head.
        output: The task's output.
        batch: Rows to compare the logits of.
        image: Whether the encoder reads images.
    """
    native: Any = model.encoder.native
    if model.pairs == "separate" or not isinstance(model.head, DenseHead) or len(model.head.layers) > 1:
        return None
    auto = _auto(output, image)
    weight, bias = model.head.layers[0]
    # Not a cut of all stages: the head reads the last one alone.
    if model.encoder.underlying is not model.encoder or auto is None or type(native.config) not in auto._model_mapping:
        return None
    with quiet():
        whole = auto.from_config(_config(native.config, output, len(weight)), dtype=torch.float32)
    path = next((path for path, part in whole.named_modules() if path and _is_like(part, native)), None)
    if path is None:
        return None
    rest = {name for name in whole.state_dict() if not name.startswith(f"{path}.")}
    layer = next(
        (name for name, m in whole.named_modules() if isinstance(m, nn.Linear) and not name.startswith(path)), ""
    )
    if rest != {f"{layer}.weight", f"{layer}.bias"} or whole.get_submodule(layer).weight.shape != weight.shape:
        return None
    whole.get_submodule(path).load_state_dict(native.state_dict())
    whole.get_submodule(layer).load_state_dict({"weight": weight.cpu(), "bias": bias.cpu()})
    whole.eval()
    return whole if _computes_the_same(whole, model, batch) else None


def _auto(output: Output, image: bool) -> Any:
    if image:
        return transformers.AutoModelForImageClassification
    classes: dict[str, Any] = {
        "example": transformers.AutoModelForSequenceClassification,
        "words": transformers.AutoModelForTokenClassification,
        "context": transformers.AutoModelForQuestionAnswering,
    }
    return classes.get(output.reads)


def _config(config: Any, output: Output, outputs: int) -> Any:
    new = copy.deepcopy(config)
    names = output.classes or tuple(f"LABEL_{i}" for i in range(outputs))
    new.id2label = dict(enumerate(names))
    new.label2id = {name: i for i, name in enumerate(names)}
    if output.kind in _PROBLEMS:
        new.problem_type = _PROBLEMS[output.kind]
    return new


def _is_like(part: nn.Module, native: nn.Module) -> bool:
    shapes = [{name: weight.shape for name, weight in one.state_dict().items()} for one in (part, native)]
    return type(part) is type(native) and shapes[0] == shapes[1]


def _computes_the_same(whole: Any, model: FeatureModel, batch: Mapping[str, Tensor]) -> bool:
    encoder, (weight, bias) = model.encoder, model.head.layers[0]  # type: ignore[union-attr]
    with torch.inference_mode(), in_eval_mode(encoder):
        hidden = encoder(dict(batch))
        logits = logits_of(whole(**batch))
        features = hidden.x if logits.ndim == 3 else encoder.pool(hidden)
        own = nn.functional.linear(features, weight.cpu(), bias.cpu())
        keep = ... if logits.ndim < 3 or hidden.mask is None else hidden.mask
        return bool(torch.allclose(logits[keep], own[keep], rtol=1e-4, atol=1e-4 * float(own.abs().max())))
