"""What a card says of a model's tokens: its objective, its mask token and its special tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tlbench_hf.text.vocabulary import read_vocabulary

from tlbench import Vocabulary


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the tokenizer of a masked language model."""
    tokens = [("[PAD]", 0, True), ("[MASK]", 4, True), ("[CLS]", 2, True), ("euro", 9, False)]
    added = [{"content": text, "id": number, "special": special} for text, number, special in tokens]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"mask_token": {"content": "[MASK]"}}))
    return tmp_path


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "bert", "type_vocab_size": 2}, Vocabulary("masked", (0, 2, 4), 4, segments=True)),
        ({"model_type": "roberta", "type_vocab_size": 1}, Vocabulary("masked", (0, 2, 4), 4)),
        ({"model_type": "gpt2", "vocab_size": 50}, Vocabulary("causal", (0, 2, 4), size=50)),
        # XLNet predicts tokens in random orders, and nothing is known of an unknown family.
        ({"model_type": "xlnet"}, None),
        ({"model_type": "novel"}, None),
    ],
)
def test_the_family_decides_the_objective(folder: Path, config: dict[str, Any], expected: Vocabulary | None) -> None:
    assert read_vocabulary(folder, config) == expected


def test_without_a_mask_token_there_is_no_masked_language_modelling(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text("{}")
    assert read_vocabulary(folder, {"model_type": "bert"}) is None
    # Older folders name it in a file of its own.
    (folder / "special_tokens_map.json").write_text(json.dumps({"mask_token": "[MASK]"}))
    assert read_vocabulary(folder, {"model_type": "bert"}) is not None
    (folder / "tokenizer.json").write_text("[1, 2")
    assert read_vocabulary(folder, {"model_type": "bert"}) is None
    (folder / "tokenizer.json").unlink()
    assert read_vocabulary(folder, {"model_type": "bert"}) is None
