"""Featurizes texts as rows of token ids, cut at the model's limit, and collates rows into padded batches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
import torch
import transformers

from tlbench import Examples, Output, PluginError, UsageError
from tlbench.modeling.data import Batch, Data, one_row_each
from tlbench.modeling.disk.disk_cache import cached_arrays
from tlbench_hf.families import longest_input
from tlbench_hf.loading import load_config, quiet

CACHED_FROM = 200
"""Minimum number of examples for which token ids are cached on disk; fewer take at most about 20 ms to tokenise."""
VERSION = 2
"""Increase this when the same tokenizer produces different rows or arrays; it is part of the cache key."""


class TokenRow(NamedTuple):
    """One example as token ids."""

    ids: np.ndarray
    """(T,) int32 token ids."""
    types: np.ndarray | None
    """(T,) int8: index (0 or 1) of the text that each token is from; None for models without token types."""


class TokenRows(Sequence[TokenRow]):
    """A sequence of rows stored in flat arrays, which may be memory-mapped; each row is a view of these arrays."""

    def __init__(self, ends: np.ndarray, ids: np.ndarray, types: np.ndarray | None = None) -> None:
        """Takes the end of each row, (rows,) int64, and all rows' tokens concatenated."""
        self._ends, self._ids, self._types = ends, ids, types

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The flat arrays, by the names of the constructor's arguments."""
        types = {} if self._types is None else {"types": self._types}
        return {"ends": self._ends, "ids": self._ids, **types}

    @property
    def lengths(self) -> np.ndarray:
        """(rows,) int64: number of tokens in each row."""
        return np.diff(self._ends, prepend=0)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> TokenRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[TokenRow]: ...
    def __getitem__(self, index: int | slice) -> TokenRow | list[TokenRow]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        # Resolves negative indices and raises IndexError, which ends iteration.
        index = range(len(self))[index]
        place = slice(self._ends[index - 1] if index else 0, self._ends[index])
        return TokenRow(self._ids[place], None if self._types is None else self._types[place])


@dataclass(frozen=True)
class Pad:
    """Collates rows into a batch, padded on the right to the longest row."""

    token: int
    """Token id used as padding, which the attention mask excludes."""

    def __call__(self, rows: Sequence[TokenRow]) -> Batch:
        """Returns input_ids, attention_mask and, for models that take them, token_type_ids: (B, T) int64 each."""
        shape = (len(rows), max(len(row.ids) for row in rows))
        ids = np.full(shape, self.token, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        types = np.zeros(shape, dtype=np.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row.ids)] = row.ids
            mask[i, : len(row.ids)] = 1
            if row.types is not None:
                types[i, : len(row.types)] = row.types
        batch: Batch = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if rows[0].types is not None:
            batch["token_type_ids"] = torch.from_numpy(types)
        return batch


@dataclass(frozen=True)
class Tokenizer:
    """A folder's tokenizer with the settings that its model needs."""

    library: Any
    identity: str
    """Sixteen hex digits of a digest over vocabulary, merges, normalisation and special tokens."""
    pad: Pad
    types: bool
    """Whether the model reads token types."""
    limit: int | None
    """Maximum number of tokens that the model takes, or None if it has no limit."""

    def length(self, max_length: int) -> int:
        """Returns the maximum number of tokens per row: `max_length`, or the model's limit if that is lower."""
        return max_length if self.limit is None else min(max_length, self.limit)


def featurize(examples: Examples, output: Output, folder: Path, max_length: int) -> Data:
    """Returns token ids for each example, truncated to `max_length` or the model's limit.

    Raises:
        PluginError: The inputs are not one or two texts, or the output does not refer to the text as a whole.
        UsageError: The folder has no fast tokenizer.
    """
    if output.reads != "example":
        raise PluginError(f"tlbench-hf cannot featurize examples for the output {type(output).__name__}")
    arity = {len(example.inputs) for example in examples}
    if not arity <= {1, 2} or len(arity) > 1 or not all(isinstance(t, str) for e in examples for t in e.inputs):
        raise PluginError("tlbench-hf takes one or two texts per example, and as many for all examples")
    tokenizer = load_tokenizer(folder)
    length = tokenizer.length(max_length)
    fingerprint = f"tokens:{tokenizer.identity}:{length}:{int(tokenizer.types)}"

    def tokenized() -> dict[str, np.ndarray]:
        return _arrays(tokenizer, [list(texts) for texts in zip(*(e.inputs for e in examples), strict=True)], length)

    if len(examples) < CACHED_FROM:
        arrays: Mapping[str, np.ndarray] = tokenized()
    else:
        key = {"examples": examples.fingerprint, "made": fingerprint, **versions()}
        arrays = cached_arrays("tokens", key, tokenized)
    tokens = TokenRows(arrays["ends"], arrays["ids"], arrays.get("types"))
    return one_row_each(examples, tokens, tokenizer.pad, tokens.lengths, fingerprint, truncated=arrays["truncated"])


@lru_cache(maxsize=8)
def load_tokenizer(folder: Path) -> Tokenizer:
    """Returns the folder's fast tokenizer; each is loaded once per process.

    Raises:
        UsageError: The folder has no fast tokenizer.
    """
    with quiet():
        config = load_config(folder, str(folder))
        try:
            library = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, ImportError) as error:
            raise UsageError(f"{folder}: no tokenizer: {' '.join(str(error).split())[:200]}") from error
    if not library.is_fast:
        # Slow tokenizers give no character offsets, which words and spans need.
        raise UsageError(f"{folder}: {type(library).__name__} is not a fast tokenizer: save one as tokenizer.json")
    # GPT-2 and its relatives have no padding token; any token will do, since it is masked.
    pad_candidates = (library.pad_token_id, library.eos_token_id, 0)
    limits = [n for n in (longest_input(config), library.model_max_length) if n]
    return Tokenizer(
        library,
        identity=hashlib.sha256(library.backend_tokenizer.to_str().encode()).hexdigest()[:16],
        pad=Pad(next(token for token in pad_candidates if token is not None)),
        # Tokenizers claim to give token types by default; GPT-2 would add the embedding of token 0 for them.
        types="token_type_ids" in library.model_input_names and bool(getattr(config, "type_vocab_size", 0)),
        limit=min(limits, default=None),
    )


def _arrays(tokenizer: Tokenizer, columns: list[list[str]], length: int) -> dict[str, np.ndarray]:
    """Returns the arrays of `TokenRows`, and "truncated", (rows,) bool."""
    if not columns:
        rows = flat_rows(tokenizer, {"input_ids": [], "token_type_ids": []})
        return {**rows.arrays, "truncated": np.zeros(0, dtype=bool)}
    encoded = tokenizer.library(
        *columns,
        truncation="longest_first",
        max_length=length,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=tokenizer.types,
    )
    return {**flat_rows(tokenizer, encoded).arrays, "truncated": was_truncated(encoded, length)}


def was_truncated(encoded: Any, length: int) -> np.ndarray:
    """Returns (rows,) bool: whether the tokenizer cut off a part of each row's text to keep to `length` tokens."""
    # A row of the full length may also be a text that just fits, so `overflowing` (the part that was cut off) decides.
    # Reading it copies that part, so it is read for full rows only.
    return np.fromiter((len(row) >= length and bool(row.overflowing) for row in encoded.encodings), dtype=bool)


def flat_rows(tokenizer: Tokenizer, encoded: Mapping[str, Sequence[list[int]]]) -> TokenRows:
    """Returns the output of the library's tokenizer as rows in flat arrays."""
    # An empty text without special tokens would give a row without tokens, whose mean is 0/0.
    ids = [row or [tokenizer.pad.token] for row in encoded["input_ids"]]
    types = [row or [0] for row in encoded["token_type_ids"]] if tokenizer.types else None
    return TokenRows(
        np.cumsum([len(row) for row in ids], dtype=np.int64),
        np.fromiter(chain.from_iterable(ids), np.int32),
        None if types is None else np.fromiter(chain.from_iterable(types), np.int8),
    )


def versions() -> dict[str, str]:
    """Returns the versions of code and libraries on which token ids depend, in addition to the tokenizer."""
    import tokenizers

    return {"version": str(VERSION), "transformers": transformers.__version__, "tokenizers": tokenizers.__version__}
