"""Reads from a model's folder what language modelling needs: its objective and special tokens. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from tlbench import UsageError, Vocabulary
from tlbench_hf.families import READOUTS, writer
from tlbench_hf.foreign_files import read_settings

_TOKENIZER = "tokenizer.json"
_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json")


def read_vocabulary(folder: Path, config: Mapping[str, Any]) -> Vocabulary | None:
    """Returns the vocabulary of the tokenizer in a model's folder.

    None for a folder without tokenizer.json or with a damaged one, an encoder whose tokenizer has no mask token (T5),
    and a family whose attention is of neither kind (XLNet).
    """
    path = folder / _TOKENIZER
    # A card is shown in lists; what a damaged file breaks is said when the tokenizer is loaded.
    with suppress(UsageError, OSError, ValueError, TypeError, KeyError, AttributeError):
        special = _special_tokens(path, path.stat().st_mtime_ns)
        size = config.get("vocab_size")
        if writer(config) == "decoder":
            return Vocabulary("causal", tuple(sorted(special.values())), size=size)
        mask = special.get(_mask_token(folder))
        # Only bidirectional families are read out by the mean.
        if mask is not None and READOUTS.get(str(config.get("model_type", ""))) == "mean":
            segments = (config.get("type_vocab_size") or 0) > 1
            return Vocabulary("masked", tuple(sorted(special.values())), mask, segments, size=size)
    return None


@lru_cache(maxsize=16)
def _special_tokens(path: Path, changed: int) -> dict[str, int]:
    """Returns the ids of the special tokens; the file is read again only if its modification time has changed."""
    added = read_settings(path.parent, path.name).get("added_tokens", [])
    return {token["content"]: token["id"] for token in added if token.get("special")}


def _mask_token(folder: Path) -> str:
    """Returns the text of the mask token that the tokenizer's settings name, or an empty text."""
    for name in _SETTINGS:
        if (folder / name).is_file():
            token = read_settings(folder, name).get("mask_token")
            # A token with settings of its own is a mapping.
            if isinstance(token, dict):
                token = token.get("content")
            if isinstance(token, str):
                return token
    return ""
