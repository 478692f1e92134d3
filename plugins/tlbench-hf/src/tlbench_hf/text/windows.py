"""Splits contexts and sentences that exceed a row into overlapping windows, with the characters of each token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from tlbench import Examples, UsageError
from tlbench.modeling.data import Data, Ragged
from tlbench.modeling.disk.disk_cache import cached_arrays
from tlbench_hf.text.tokenizing import CACHED_FROM, Tokenizer, TokenRows, flat_rows, versions

LONGEST_OVERLAP = 64
"""Maximum number of tokens that neighbouring windows share, or a quarter of the maximum length if that is less."""


@dataclass(frozen=True)
class Windows:
    """Texts or pairs of texts as rows of token ids; a text that is too long has several rows."""

    rows: TokenRows
    owners: np.ndarray
    """(rows,) int64: index of the text or pair that a row is a window of."""
    parts: np.ndarray
    """(tokens,) int8: index (0 or 1) of the text that a token is from; -1 for special tokens."""
    offsets: np.ndarray
    """(tokens, 2) int32: first character and one past the last character of a token in its text."""

    def arrays(self, alignment: np.ndarray, truncated: Sequence[bool]) -> dict[str, np.ndarray]:
        """Returns the arrays that `windowed_data` reads.

        Args:
            alignment: One entry per token, row after row.
            truncated: For each example, whether a part of it is in no window.
        """
        cut = np.asarray(truncated, dtype=bool)
        return {**self.rows.arrays, "owners": self.owners, "alignment": alignment, "truncated": cut}


def windows(tokenizer: Tokenizer, texts: list[str], contexts: list[str] | None, length: int) -> Windows:
    """Returns windows of at most `length` tokens over the texts.

    If `contexts` are given, each text is a question: a row is the whole question followed by a window of its context.

    Raises:
        UsageError: Special tokens and the question leave no room in a row.
    """
    room = length - tokenizer.library.num_special_tokens_to_add(pair=contexts is not None)
    if contexts is not None:
        room -= longest_question(tokenizer, length)
    # Checked here, where the message can name max_length.
    if room < 1:
        raise UsageError(f"max_length is {length}, which leaves no room beside special tokens and question: raise it")
    if not texts:
        rows = flat_rows(tokenizer, {"input_ids": [], "token_type_ids": []})
        return Windows(rows, np.empty(0, np.int64), np.empty(0, np.int8), np.empty((0, 2), np.int32))
    encoded = tokenizer.library(
        texts,
        contexts,
        truncation=True if contexts is None else "only_second",
        max_length=length,
        # The overlap must be shorter than a window's text, or each window would begin where the previous one did.
        stride=min(LONGEST_OVERLAP, length // 4, room - 1),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_attention_mask=False,
        return_token_type_ids=tokenizer.types,
        padding=False,
    )
    # Special tokens have None as sequence id. `flat_rows` puts one padding token into an empty row, which gets part -1
    # and offsets (0, 0) here.
    parts = [[-1 if part is None else part for part in row.sequence_ids] or [-1] for row in encoded.encodings]
    offsets = [row or [(0, 0)] for row in encoded["offset_mapping"]]
    return Windows(
        flat_rows(tokenizer, encoded),
        np.asarray(encoded["overflow_to_sample_mapping"], dtype=np.int64),
        np.fromiter(chain.from_iterable(parts), np.int8),
        np.fromiter(chain.from_iterable(chain.from_iterable(offsets)), np.int32).reshape(-1, 2),
    )


def longest_question(tokenizer: Tokenizer, length: int) -> int:
    """Returns the maximum number of tokens in a question: half of a row, not counting special tokens."""
    room: int = length - tokenizer.library.num_special_tokens_to_add(pair=True)
    return max(0, room // 2)


def windowed_data(
    examples: Examples, tokenizer: Tokenizer, fingerprint: str, build_arrays: Callable[[], Mapping[str, np.ndarray]]
) -> Data:
    """Returns the windows and their alignment as data; for many examples, the arrays are cached on disk.

    Args:
        examples: The examples that the windows belong to.
        tokenizer: Collates the rows.
        fingerprint: Everything that the windows depend on; part of the cache key.
        build_arrays: Computes the arrays, in the form of `Windows.arrays`, if they are not cached.
    """
    if len(examples) < CACHED_FROM:
        arrays = build_arrays()
    else:
        key = {"examples": examples.fingerprint, "made": fingerprint, **versions()}
        arrays = cached_arrays("tokens", key, build_arrays)
    rows = TokenRows(arrays["ends"], arrays["ids"], arrays.get("types"))
    return Data(
        examples=examples,
        rows=rows,
        collate=tokenizer.pad,
        lengths=rows.lengths,
        owners=arrays["owners"],
        fingerprint=f"{fingerprint}:{examples.fingerprint}",
        alignment=Ragged(arrays["ends"], arrays["alignment"]),
        truncated=arrays["truncated"],
    )
