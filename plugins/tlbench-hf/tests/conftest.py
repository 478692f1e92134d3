"""Tiny models with tokenizers, saved as folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *"a the cat dog sat ran on mat road and then it was so very far away".split(),
]


@pytest.fixture
def norms_in_their_own_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """T5 and mT5 square their states in fp32 whatever they are in, which would make 6e-8 of a distance of 1e-16."""
    import transformers

    def forward(norm: Any, states: torch.Tensor) -> torch.Tensor:
        return norm.weight * states * torch.rsqrt(states.square().mean(-1, keepdim=True) + norm.variance_epsilon)

    monkeypatch.setattr(transformers.models.t5.modeling_t5.T5LayerNorm, "forward", forward)
    monkeypatch.setattr(transformers.models.mt5.modeling_mt5.MT5LayerNorm, "forward", forward)


@pytest.fixture
def tokenizer_files() -> Callable[..., None]:
    """Writes a word-level tokenizer into a folder; without special tokens if `bare`."""

    def write(folder: Path, bare: bool = False) -> None:
        import transformers
        from tokenizers import Tokenizer, models, pre_tokenizers, processors

        backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
        backend.pre_tokenizer = pre_tokenizers.Whitespace()
        if bare:
            library = transformers.PreTrainedTokenizerFast(
                tokenizer_object=backend, unk_token="[UNK]", eos_token="away"
            )
        else:
            backend.post_processor = processors.TemplateProcessing(
                single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
            )
            library = transformers.PreTrainedTokenizerFast(
                tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
            )
        library.save_pretrained(folder)

    return write


@pytest.fixture
def bert_folder(tmp_path: Path, tokenizer_files: Callable[..., None]) -> Path:
    """A BERT of three blocks and width 16, with its pooler."""
    import transformers

    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=20,
        max_position_embeddings=24,
    )  # fmt: skip
    torch.manual_seed(3)
    folder = tmp_path / "tiny-bert"
    transformers.BertModel(config).save_pretrained(folder)
    tokenizer_files(folder)
    return folder


@pytest.fixture
def rewrite() -> Callable[..., None]:
    """Changes the tensors and the configuration of a saved folder."""

    def change(folder: Path, tensors: Callable[[dict], dict] | None = None, **config: object) -> None:
        from safetensors.torch import load_file, save_file

        path = folder / "model.safetensors"
        if tensors is not None:
            save_file(tensors(load_file(path)), path, metadata={"format": "pt"})
        settings = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**settings, **config}))

    return change


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes it an error to open a socket."""
    import socket

    class Refused(OSError):
        pass

    def refuse(*_: object, **__: object) -> None:
        raise Refused("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
