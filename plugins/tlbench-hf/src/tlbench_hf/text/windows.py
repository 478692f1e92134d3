"""Inputs that do not fit into one row: windows that overlap, and which characters their tokens stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from tlbench import Examples, UsageError
from tlbench.modeling.data import Data, Ragged
from tlbench.modeling.disk.disk_cache import kept_arrays
from tlbench_hf.text.tokenizing import WORTH_KEEPING, Tokenizer, TokenRows, flat_rows, versions

LONGEST_OVERLAP = 64
"""Tokens that two windows of one text share; a quarter of a window where that is less."""


@dataclass(frozen=True)
class Windows:
    """Texts, or pairs of texts, as rows of tokens; a text that does not fit has several rows."""

    rows: TokenRows
    owners: np.ndarray
    """(rows,) int64: which text, or pair, each row is a window of."""
    parts: np.ndarray
    """(tokens,) int8: which text of a pair each token is from, 0 or 1; -1 for special tokens."""
    offsets: np.ndarray
    """(tokens, 2) int32: the first and one past the last character of its text that a token stands for."""

    def arrays(self, alignment: np.ndarray) -> dict[str, np.ndarray]:
        """Returns what `windowed_data` reads; the alignment is of all tokens, row after row."""
        return {**self.rows.arrays, "owners": self.owners, "alignment": alignment}


def windows(tokenizer: Tokenizer, texts: list[str], contexts: list[str] | None, length: int) -> Windows:
    """Returns windows of at most `length` tokens over the texts, or over the contexts behind the whole of each text."""
    room = length - tokenizer.library.num_special_tokens_to_add(pair=contexts is not None)
    if contexts is not None:
        room -= longest_question(tokenizer, length)
    if room < 1:
        raise UsageError(f"max_length is {length}, which leaves no room beside special tokens and the question")
    if not texts:
        rows = flat_rows(tokenizer, {"input_ids": [], "token_type_ids": []})
        return Windows(rows, np.empty(0, np.int64), np.empty(0, np.int8), np.empty((0, 2), np.int32))
    encoded = tokenizer.library(
        texts,
        contexts,
        truncation=True if contexts is None else "only_second",
        max_length=length,
        stride=min(LONGEST_OVERLAP, length // 4, room - 1),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_attention_mask=False,
        return_token_type_ids=tokenizer.types,
        padding=False,
    )
    parts = [[-1 if part is None else part for part in row.sequence_ids] or [-1] for row in encoded.encodings]
    offsets = [row or [(0, 0)] for row in encoded["offset_mapping"]]
    return Windows(
        flat_rows(tokenizer, encoded),
        np.asarray(encoded["overflow_to_sample_mapping"], dtype=np.int64),
        np.fromiter(chain.from_iterable(parts), np.int8),
        np.fromiter(chain.from_iterable(chain.from_iterable(offsets)), np.int32).reshape(-1, 2),
    )


def longest_question(tokenizer: Tokenizer, length: int) -> int:
    """Returns how many tokens of a row a question may take: half of what special tokens leave."""
    room: int = length - tokenizer.library.num_special_tokens_to_add(pair=True)
    return max(0, room // 2)


def windowed_data(
    examples: Examples, tokenizer: Tokenizer, made: str, make: Callable[[], Mapping[str, np.ndarray]]
) -> Data:
    """Returns the data of windows with their alignment, from disk where they are kept there.

    Args:
        examples: What the windows are of.
        tokenizer: Pads the rows.
        made: Says how they are made.
        make: Makes their arrays.
    """
    if len(examples) < WORTH_KEEPING:
        arrays = make()
    else:
        arrays = kept_arrays("tokens", {"examples": examples.fingerprint, "made": made, **versions()}, make)
    rows = TokenRows(arrays["ends"], arrays["ids"], arrays.get("types"))
    return Data(
        examples=examples,
        rows=rows,
        collate=tokenizer.pad,
        lengths=rows.lengths,
        owners=arrays["owners"],
        fingerprint=f"{made}:{examples.fingerprint}",
        alignment=Ragged(arrays["ends"], arrays["alignment"]),
    )
