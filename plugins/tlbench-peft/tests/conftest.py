"""Tiny models with a tokenizer, saved as folders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tlbench_hf.plugin import tlbench_resolve

from tlbench import Backbone, Classes, Example, Examples, SplitName, Task

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"a the cat dog sat ran on mat road and then it was so very far".split()]
SIZES = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
TEXT_SIZES = {**SIZES, "vocab_size": 40, "max_position_embeddings": 40}
FAMILIES = ("bert", "roberta", "vit", "t5", "llama")


def config_of(family: str) -> Any:
    """Returns the configuration of a tiny model of a family."""
    import transformers

    if family == "bert":
        return transformers.BertConfig(**TEXT_SIZES)
    if family == "roberta":
        return transformers.RobertaConfig(**TEXT_SIZES, pad_token_id=0)
    if family == "vit":
        return transformers.ViTConfig(**SIZES, image_size=16, patch_size=8)
    if family == "t5":
        return transformers.T5Config(vocab_size=40, d_model=16, num_layers=3, num_heads=2, d_kv=8, d_ff=24)
    return transformers.LlamaConfig(**TEXT_SIZES, num_key_value_heads=1)


def save_tokenizer(folder: Path) -> None:
    """Writes a word-level tokenizer into a folder."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        eos_token="[SEP]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)


def saved(family: str, folder: Path) -> Backbone:
    """Returns a tiny model of a family as a backbone, saved in a folder."""
    import torch
    import transformers

    config = config_of(family)
    auto = transformers.AutoModelForTextEncoding if family == "t5" else transformers.AutoModel
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        auto.from_config(config).save_pretrained(folder)
    if family == "vit":
        transformers.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    else:
        save_tokenizer(folder)
    backbone: Any = tlbench_resolve("backbone", f"hf:{folder}")
    # Virtual tokens need positions beyond those of the texts.
    return backbone if family == "vit" else replace(backbone, max_length=16)


@dataclass(frozen=True)
class Pictures(Task):
    """Dark and bright noise."""

    name = "pictures"
    modality = "image"
    metrics = ("accuracy",)
    output = Classes(("dark", "bright"))

    def split(self, name: SplitName) -> Examples | None:
        draws = np.random.default_rng(len(name))

        def picture(label: int) -> Image.Image:
            return Image.fromarray(draws.integers(0, 128 + 127 * label, (16, 16, 3), np.uint8))

        return Examples(Example(f"{name}-{i}", (picture(i % 2),), i % 2) for i in range(8))


@pytest.fixture
def pictures() -> Task:
    """Returns a task of images."""
    return Pictures()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Backbone]:
    """Returns a tiny model of each family."""
    folder = tmp_path_factory.mktemp("tiny")
    return {family: saved(family, folder / family) for family in FAMILIES}


@pytest.fixture
def text_sizes() -> dict[str, int]:
    """Returns the sizes of a tiny text model."""
    return TEXT_SIZES


@pytest.fixture
def write_tokenizer() -> Callable[[Path], None]:
    """Returns a function that writes the tokenizer of the tiny models into a folder."""
    return save_tokenizer
