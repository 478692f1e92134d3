"""Writes a fitted text model as a folder of transformers, or of peft, with its tokenizer."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from tlbench import Output, UsageError
from tlbench.contracts.exports.forms import Exportable, ExportedFiles, FeatureModel, WritingModel
from tlbench.modeling.data import Batch
from tlbench_hf.exports import sentence_modules, text_model_script
from tlbench_hf.exports.folded_models import folded
from tlbench_hf.loading import quiet
from tlbench_hf.text.tokenizing import Tokenizer, load_tokenizer
from tlbench_hf.text.windows import LONGEST_OVERLAP

REQUIREMENTS = ("torch", "transformers")
BASE = "base"
"""Name of the folder with the backbone beside its adapter."""


def export_text(
    model: Exportable, output: Output, source: Path, folder: Path, max_length: int, writing: Mapping[str, Any]
) -> ExportedFiles:
    """Writes a model into a folder; returns what `Backbone.export` does.

    Args:
        model: The encoder and the head.
        output: The task's output.
        source: The folder that the backbone was loaded from, with its tokenizer.
        folder: Where to write to.
        max_length: Maximum number of tokens per row.
        writing: How texts to continue are given to a backbone that generates, for the script.

    Raises:
        UsageError: transformers has no form for this model.
    """
    tokenizer = load_tokenizer(source)
    save_tokenizer(tokenizer, tokenizer.length(max_length), folder)
    if isinstance(model, WritingModel):
        from tlbench_hf.exports.writing_export import export_writer
        from tlbench_hf.generation.prompt_rows import prompt_limit

        length = prompt_limit(tokenizer, output, max_length, joined=writing["joined"])
        return export_writer(model, source, folder, {**writing, "length": length, "pad": tokenizer.pad.token})
    if not isinstance(model, FeatureModel):
        raise UsageError(f"a {type(model).__name__} has no encoder to export")
    model.encoder.cpu().float()
    whole = None if model.adapter else folded(model, output, _sample(tokenizer), image=False)
    native: Any = whole if whole is not None else model.encoder.native
    if model.adapter:
        model.adapter.write(folder)
        native = model.adapter.remove()
    base = BASE if model.adapter else ""
    refuse_other_layers(native)
    with quiet():
        native.save_pretrained(folder / base)
    settings = {
        "module": type(native).__module__, "class": type(native).__name__, "base": base,
        "adapter": model.adapter is not None, "reads": output.reads, "readout": model.encoder.readout,
        "includes_head": whole is not None, "every_stage": model.encoder.underlying is not model.encoder,
        "length": tokenizer.length(max_length), "overlap": LONGEST_OVERLAP, "token_types": tokenizer.types,
        "pad": tokenizer.pad.token,
    }  # fmt: skip
    script = Path(text_model_script.__file__)
    if whole is None and output.reads == "example":
        loading = sentence_modules.write_sentence_modules(model, folder, tokenizer.length(max_length))
        if loading:
            library, remark = sentence_modules.LIBRARY, sentence_modules.remark(model)
            return ExportedFiles(script, settings, False, library, loading, REQUIREMENTS, remark)
    return ExportedFiles(
        script,
        settings,
        whole is not None,
        "peft" if model.adapter else "transformers",
        _loading(native, output, base, whole is not None),
        (*REQUIREMENTS, "peft") if model.adapter else REQUIREMENTS,
    )


def save_tokenizer(tokenizer: Tokenizer, length: int, folder: Path) -> None:
    """Writes a tokenizer that cuts texts at `length` tokens."""
    library = copy.deepcopy(tokenizer.library)
    library.model_max_length = length
    with quiet():
        library.save_pretrained(folder)


def refuse_other_layers(native: Any) -> None:
    """Refuses a model with other layers than its class has.

    Raises:
        UsageError: A strategy has put layers into the model, which the library would not load.
    """
    if not isinstance(native, transformers.PreTrainedModel):
        raise UsageError(f"a {type(native).__name__} around the backbone cannot be merged: add --adapter")
    with torch.device("meta"):
        plain = type(native)(copy.deepcopy(native.config))
    added = sorted(native.state_dict().keys() - plain.state_dict().keys())
    if added:
        raise UsageError(
            f"the strategy put layers into {type(native).__name__} that the library does not have: {added[0]}"
        )


def _sample(tokenizer: Tokenizer) -> Batch:
    library = tokenizer.library
    ids = [library("the first of two texts")["input_ids"] or [0], library("one")["input_ids"] or [0]]
    longest = max(map(len, ids))
    return {
        "input_ids": torch.tensor([[*row, *[tokenizer.pad.token] * (longest - len(row))] for row in ids]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids]),
    }


def _loading(native: Any, output: Output, base: str, includes_head: bool) -> str:
    if base:
        return (
            "import transformers, peft\n"
            f'model = transformers.{type(native).__name__}.from_pretrained("{{folder}}/{base}")\n'
            'model = peft.PeftModel.from_pretrained(model, "{folder}")'
        )
    if not includes_head:
        return (
            f"from {type(native).__module__} import {type(native).__name__}\n"
            f'encoder = {type(native).__name__}.from_pretrained("{{folder}}")'
        )
    if output.reads == "context":
        return (
            "import transformers\n"
            'model = transformers.AutoModelForQuestionAnswering.from_pretrained("{folder}")\n'
            'tokenizer = transformers.AutoTokenizer.from_pretrained("{folder}")'
        )
    task = (
        '"token-classification", aggregation_strategy="first"' if output.reads == "words" else '"text-classification"'
    )
    return f'import transformers\npipe = transformers.pipeline({task}, model="{{folder}}")'
