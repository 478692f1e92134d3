"""Joins an encoder and the decoder of a text head into one model of transformers, and writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from tlbench import UsageError
from tlbench.contracts.exports.forms import ExportedFiles, WritingModel
from tlbench_hf.exports import writing_model_script
from tlbench_hf.loading import load_config, quiet


def export_writer(model: WritingModel, source: Path, folder: Path, writing: Mapping[str, Any]) -> ExportedFiles:
    """Writes the joined model, whose generation settings are those that it was measured with.

    Args:
        model: The encoder and the text head.
        source: The folder that the backbone was loaded from.
        folder: Where to write to.
        writing: What the script has to know: "joined", "prompt", "prefix", "source", "length" and "pad".

    Raises:
        UsageError: A weight of the model is neither the encoder's nor the head's.
    """
    joined = bool(writing["joined"])
    auto: Any = transformers.AutoModelForCausalLM if joined else transformers.AutoModelForSeq2SeqLM
    native: Any = model.encoder.cpu().float().native
    head: Any = model.head.cpu().float().native
    config = load_config(source, str(source))
    # An encoder, or a decoder alone, may have been cut to its lowest blocks.
    config.num_hidden_layers = native.config.num_hidden_layers
    config.use_cache = True
    with quiet():
        whole = auto.from_config(config, dtype=torch.float32)
    part = whole.base_model if joined else whole.get_encoder()
    own = native if joined or type(native) is type(part) else native.get_encoder()
    part.load_state_dict(own.state_dict())
    table = native.get_input_embeddings().weight
    with torch.no_grad():
        whole.get_input_embeddings().weight.copy_(table)
    report = whole.load_state_dict(head.state_dict(), strict=False)
    owned = {id(weight) for weight in part.parameters()} | {id(whole.get_input_embeddings().weight)}
    named = dict(whole.named_parameters())
    if lost := [name for name in report.missing_keys if name in named and id(named[name]) not in owned]:
        raise UsageError(f"{type(whole).__name__} cannot be joined again: {lost[0]} is neither encoder's nor decoder's")
    whole.generation_config = head.generation_config
    with quiet():
        whole.eval().save_pretrained(folder)
    name = "AutoModelForCausalLM" if joined else "AutoModelForSeq2SeqLM"
    loading = (
        "import transformers\n"
        f'model = transformers.{name}.from_pretrained("{{folder}}")\n'
        'tokenizer = transformers.AutoTokenizer.from_pretrained("{folder}")'
    )
    script = Path(writing_model_script.__file__)
    return ExportedFiles(script, dict(writing), True, "transformers", loading, ("torch", "transformers"))
