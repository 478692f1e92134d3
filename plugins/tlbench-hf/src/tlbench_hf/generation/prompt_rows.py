"""Texts to write from texts: sources or prompts as rows of tokens, with the tokens of what is to be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
import torch

from tlbench import Examples, PluginError, Text, UsageError
from tlbench.modeling.data import Batch, Data, Ragged, one_row_each
from tlbench.modeling.disk.disk_cache import kept_arrays
from tlbench_hf.families import SOURCE
from tlbench_hf.text.tokenizing import WORTH_KEEPING, Tokenizer, load_tokenizer, versions

VERSION = 1
"""Raise it when the same tokenizer's rows change."""
IGNORED = -100
"""What fills up rows of targets; no loss is taken there."""


class TextRow(NamedTuple):
    """One example as tokens."""

    ids: np.ndarray
    """(T,) int32: the source, or the prompt."""
    target: np.ndarray
    """(L,) int32: the first accepted text and its end; empty where the example is unlabelled or only asked."""


class TextRows(Sequence[TextRow]):
    """Rows of tokens in flat arrays."""

    def __init__(self, ids: Ragged, targets: Ragged) -> None:
        self._ids, self._targets = ids, targets

    @property
    def lengths(self) -> np.ndarray:
        """(rows,) int64: what is read and written of each row where both are computed."""
        return np.diff(self._ids.ends, prepend=0) + np.diff(self._targets.ends, prepend=0)

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> TextRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[TextRow]: ...
    def __getitem__(self, index: int | slice) -> TextRow | list[TextRow]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return TextRow(self._ids[index], self._targets[index])


@dataclass(frozen=True)
class Reading:
    """How a backbone that writes reads."""

    joined: bool
    """True for a decoder alone, which reads what it writes after the prompt, in one row."""
    max_length: int
    """Tokens that a source or a prompt is cut to."""
    prefix: str = ""
    """What an encoder-decoder reads before each source, with a space between them."""
    prompt: str = SOURCE
    """What a decoder alone reads, with the source in it."""


@dataclass(frozen=True)
class Sources:
    """Pads sources on the right; targets reach the loss in another way."""

    token: int

    def __call__(self, rows: Sequence[TextRow]) -> Batch:
        """Returns input_ids and attention_mask, (B, T) int64."""
        return _padded([row.ids for row in rows], self.token)


@dataclass(frozen=True)
class Continued:
    """Puts what is to be written after each prompt and pads on the right."""

    token: int

    def __call__(self, rows: Sequence[TextRow]) -> Batch:
        """Returns input_ids and attention_mask, (B, T) int64, and prompt_lengths (B,), where a prompt ends."""
        batch = _padded([np.concatenate(row) for row in rows], self.token)
        return {**batch, "prompt_lengths": torch.tensor([len(row.ids) for row in rows])}


def featurize_texts(examples: Examples, output: Text, folder: Path, reading: Reading) -> Data:
    """Returns one row for each example; its length counts what is read and what is written.

    Raises:
        PluginError: Inputs that are not one text, or targets that are no texts.
        UsageError: The folder has no fast tokenizer with a token that ends a text, or too little room for a prompt.
    """
    _check(examples)
    tokenizer = load_tokenizer(folder)
    if tokenizer.library.eos_token_id is None:
        raise UsageError(f"{folder}: its tokenizer has no token that ends a text, so nothing can be written with it")
    limit = _limit(tokenizer, output, reading)
    made = f"{tokenizer.identity}:{limit}:{output.max_length}:{reading.joined}:{reading.prefix!r}:{reading.prompt!r}"

    def arrays() -> dict[str, np.ndarray]:
        texts = [example.inputs[0] for example in examples]
        read = _prompts(tokenizer, texts, reading.prompt, limit) if reading.joined else None
        if read is None:
            before = f"{reading.prefix} " if reading.prefix else ""
            read = _encoded(tokenizer, [before + text for text in texts], max_length=limit, truncation=True)
        # a text without any token would be a row without any
        read = [ids or [tokenizer.library.eos_token_id] for ids in read]
        written = _targets(tokenizer, examples, output.max_length, joined=reading.joined)
        return {**_flat(read, ""), **_flat(written, "target_")}

    if len(examples) < WORTH_KEEPING:
        kept: Any = arrays()
    else:
        key = {"examples": examples.fingerprint, "made": made, **versions(), "texts": str(VERSION)}
        kept = kept_arrays("texts", key, arrays)
    rows = TextRows(Ragged(kept["ends"], kept["ids"]), Ragged(kept["target_ends"], kept["target_ids"]))
    collate = Continued(tokenizer.pad.token) if reading.joined else Sources(tokenizer.pad.token)
    return one_row_each(examples, rows, collate, rows.lengths, f"texts:{made}")


def asked(data: Data) -> Data:
    """Returns the data without what is to be written, neither in its rows nor in their lengths."""
    if not all(isinstance(row, TextRow) for row in data.rows[:1]):
        return data
    rows = [TextRow(row.ids, row.target[:0]) for row in data.rows]
    lengths = np.asarray([len(row.ids) for row in rows], dtype=np.int64)
    return replace(data, rows=rows, lengths=lengths, fingerprint=f"{data.fingerprint}/asked", shared=None)


def padded_targets(data: Data) -> torch.Tensor:
    """Returns (rows, L) int64, filled up with -100.

    Raises:
        ValueError: A row has no target.
    """
    targets = [row.target for row in data.rows]
    if not all(len(target) for target in targets):
        raise ValueError("these examples are unlabelled")
    filled = np.full((len(targets), max(map(len, targets), default=1)), IGNORED, dtype=np.int64)
    for row, target in zip(filled, targets, strict=True):
        row[: len(target)] = target
    return torch.from_numpy(filled)


def _check(examples: Examples) -> None:
    for example in examples:
        if len(example.inputs) != 1 or not isinstance(example.inputs[0], str):
            raise PluginError(f"example {example.id}: a text is written from one text, not from {example.inputs!r:.60}")
        target = example.target
        texts = isinstance(target, tuple | list) and target and all(isinstance(text, str) for text in target)
        if target is not None and not texts:
            raise PluginError(f"example {example.id}: its target is no tuple of accepted texts")


def _limit(tokenizer: Tokenizer, output: Text, reading: Reading) -> int:
    if tokenizer.limit is None:
        return reading.max_length
    # a decoder alone has source and target in one row of positions
    room = tokenizer.limit - (output.max_length if reading.joined else 0)
    if room < 1 or output.max_length > tokenizer.limit:
        beside = " and a prompt before it" if reading.joined else ""
        raise UsageError(
            f"the task wants a text of up to {output.max_length} tokens{beside}; the model takes {tokenizer.limit}"
        )
    return min(reading.max_length, room)


def _targets(tokenizer: Tokenizer, examples: Examples, limit: int, *, joined: bool) -> list[list[int]]:
    end = tokenizer.library.eos_token_id
    labelled = [i for i, example in enumerate(examples) if example.target is not None]
    texts = [examples[i].target[0] for i in labelled]
    if joined:
        encoded = _encoded(tokenizer, texts, add_special_tokens=False)
    else:
        encoded = tokenizer.library(text_target=texts, return_attention_mask=False)["input_ids"] if texts else []
    written: list[list[int]] = [[] for _ in examples]
    for i, ids in zip(labelled, encoded, strict=True):
        ended = len(ids) <= limit and ids[-1:] == [end]
        written[i] = ids if ended else [*ids[: limit - 1], end]
    return written


def _prompts(tokenizer: Tokenizer, texts: Sequence[str], template: str, limit: int) -> list[list[int]]:
    """Returns each prompt as at most `limit` tokens; where it is too long, the source loses its end, nothing else."""
    before, _, after = template.partition(SOURCE)
    prompts = _open_ended(tokenizer, [before + text + after for text in texts])
    for i, ids in enumerate(prompts):
        text, excess = texts[i], len(ids) - limit
        while excess > 0 and text:
            spans = tokenizer.library(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
            kept = len(spans) - excess
            text = text[: min(spans[kept - 1][1], len(text) - 1)] if kept > 0 else ""
            (prompts[i],) = _open_ended(tokenizer, [before + text + after])
            excess = len(prompts[i]) - limit
        if excess > 0:
            raise UsageError(f"the prompt {template!r} alone takes {len(prompts[i])} tokens; there is room for {limit}")
    return prompts


def _open_ended(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Returns the tokens of texts that go on: without the end that some tokenizers put after a text."""
    end = tokenizer.library.eos_token_id
    begin = tokenizer.library.bos_token_id
    encoded = _encoded(tokenizer, texts)
    return [ids[:-1] if len(ids) > 1 and ids[-1] == end and end != begin else ids for ids in encoded]


def _encoded(tokenizer: Tokenizer, texts: list[str], **options: Any) -> list[list[int]]:
    if not texts:
        return []
    ids: list[list[int]] = tokenizer.library(texts, padding=False, return_attention_mask=False, **options)["input_ids"]
    return ids


def _flat(rows: Sequence[list[int]], name: str) -> dict[str, np.ndarray]:
    return {
        f"{name}ends": np.cumsum([len(row) for row in rows], dtype=np.int64),
        f"{name}ids": np.fromiter(chain.from_iterable(rows), np.int32),
    }


def _padded(rows: Sequence[np.ndarray], token: int) -> Batch:
    lengths = np.asarray([len(row) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, token, dtype=np.int64)
    ids[mask] = np.concatenate(rows)
    return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask.astype(np.int64))}
