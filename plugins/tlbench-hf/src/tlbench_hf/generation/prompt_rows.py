"""Featurizes text-generation examples: sources or prompts as rows of token ids, with the target's token ids."""

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
from tlbench.modeling.disk.disk_cache import cached_arrays
from tlbench_hf.families import SOURCE
from tlbench_hf.text.tokenizing import CACHED_FROM, Tokenizer, load_tokenizer, versions, was_truncated

VERSION = 1
"""Increase this when the same tokenizer produces different rows; it is part of the cache key."""
IGNORED = -100
"""Value that pads targets; torch's cross-entropy ignores it."""


class TextRow(NamedTuple):
    """One example as token ids."""

    ids: np.ndarray
    """(T,) int32: the source or prompt."""
    target: np.ndarray
    """(L,) int32: the first accepted target and its end token; empty if unlabelled or removed for prediction."""


class TextRows(Sequence[TextRow]):
    """A sequence of rows stored in flat arrays."""

    def __init__(self, ids: Ragged, targets: Ragged) -> None:
        self._ids, self._targets = ids, targets

    @property
    def lengths(self) -> np.ndarray:
        """(rows,) int64: number of tokens of source and target together, a measure of the cost of a training step."""
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
class PromptFormat:
    """Format of a text-generating backbone's inputs."""

    joined: bool
    """True for decoder-only models, which read prompt and target in one row."""
    max_length: int
    """Maximum number of tokens in a source or prompt; longer ones are truncated."""
    prefix: str = ""
    """Text put before each source of an encoder-decoder, with a space between them."""
    prompt: str = SOURCE
    """Prompt template of a decoder-only model, containing the source's placeholder."""


@dataclass(frozen=True)
class SourceCollator:
    """Collates an encoder-decoder's sources, padded on the right; the loss gets the targets separately."""

    token: int

    def __call__(self, rows: Sequence[TextRow]) -> Batch:
        """Returns input_ids and attention_mask, (B, T) int64."""
        return _padded([row.ids for row in rows], self.token)


@dataclass(frozen=True)
class PromptCollator:
    """Collates prompts with their targets appended, padded on the right."""

    token: int

    def __call__(self, rows: Sequence[TextRow]) -> Batch:
        """Returns input_ids and attention_mask, (B, T) int64, and prompt_lengths, (B,) int64."""
        batch = _padded([np.concatenate(row) for row in rows], self.token)
        return {**batch, "prompt_lengths": torch.tensor([len(row.ids) for row in rows])}


def featurize_texts(examples: Examples, output: Text, folder: Path, prompt_format: PromptFormat) -> Data:
    """Returns one row per example; the length of a row is the number of tokens of source and target together.

    Raises:
        PluginError: The inputs are not one text each, or a target is not a tuple of texts.
        UsageError: The folder has no fast tokenizer with an end-of-text token, or the template or target is too long.
    """
    _check(examples)
    tokenizer = load_tokenizer(folder)
    if tokenizer.library.eos_token_id is None:
        raise UsageError(f"{folder}: its tokenizer has no end-of-text token, so it cannot generate text")
    limit = prompt_limit(tokenizer, output, prompt_format.max_length, joined=prompt_format.joined)
    # Everything that the rows depend on; part of the cache key and of the data's fingerprint.
    parts = f"{prompt_format.joined}:{prompt_format.prefix!r}:{prompt_format.prompt!r}"
    fingerprint = f"{tokenizer.identity}:{limit}:{output.max_length}:{parts}"

    def featurize() -> dict[str, np.ndarray]:
        texts = [example.inputs[0] for example in examples]
        if prompt_format.joined:
            source_ids, truncated = _prompts(tokenizer, texts, prompt_format.prompt, limit)
        else:
            prefix = f"{prompt_format.prefix} " if prompt_format.prefix else ""
            source_ids, truncated = _sources(tokenizer, [prefix + text for text in texts], limit)
        # An empty text without special tokens would give a row without tokens, whose mean is 0/0.
        source_ids = [ids or [tokenizer.library.eos_token_id] for ids in source_ids]
        target_ids = _targets(tokenizer, examples, output.max_length, joined=prompt_format.joined)
        flat = {**_flattened(source_ids, ""), **_flattened(target_ids, "target_")}
        return {**flat, "truncated": np.asarray(truncated, dtype=bool)}

    if len(examples) < CACHED_FROM:
        arrays: Any = featurize()
    else:
        key = {"examples": examples.fingerprint, "made": fingerprint, **versions(), "texts": str(VERSION)}
        arrays = cached_arrays("texts", key, featurize)
    rows = TextRows(Ragged(arrays["ends"], arrays["ids"]), Ragged(arrays["target_ends"], arrays["target_ids"]))
    collate = PromptCollator(tokenizer.pad.token) if prompt_format.joined else SourceCollator(tokenizer.pad.token)
    made = f"texts:{fingerprint}"
    return one_row_each(examples, rows, collate, rows.lengths, made, truncated=arrays["truncated"])


def without_targets(data: Data) -> Data:
    """Returns the data with empty targets; the length of a row is then the number of tokens of its source alone."""
    # Rows of cached hidden states have no targets in them.
    if not all(isinstance(row, TextRow) for row in data.rows[:1]):
        return data
    rows = [TextRow(row.ids, row.target[:0]) for row in data.rows]
    lengths = np.asarray([len(row.ids) for row in rows], dtype=np.int64)
    return replace(data, rows=rows, lengths=lengths, fingerprint=f"{data.fingerprint}/asked", shared=None)


def padded_targets(data: Data) -> torch.Tensor:
    """Returns target token ids, (rows, L) int64, padded with -100.

    Raises:
        ValueError: A row has no target.
    """
    targets = [row.target for row in data.rows]
    if not all(len(target) for target in targets):
        raise ValueError("the data has unlabelled examples, which cannot be trained on")
    padded = np.full((len(targets), max(map(len, targets), default=1)), IGNORED, dtype=np.int64)
    for row, target in zip(padded, targets, strict=True):
        row[: len(target)] = target
    return torch.from_numpy(padded)


def _check(examples: Examples) -> None:
    for example in examples:
        if len(example.inputs) != 1 or not isinstance(example.inputs[0], str):
            raise PluginError(f"example {example.id}: its inputs must be one text, not {example.inputs!r:.60}")
        target = example.target
        has_texts = isinstance(target, tuple | list) and target and all(isinstance(text, str) for text in target)
        if target is not None and not has_texts:
            raise PluginError(f"example {example.id}: its target must be a non-empty tuple of accepted texts")


def prompt_limit(tokenizer: Tokenizer, output: Text, max_length: int, *, joined: bool) -> int:
    """Returns the maximum number of tokens that a source or prompt may have, at most `max_length`.

    Raises:
        UsageError: The model's positions have no room for a target of the task's length.
    """
    if tokenizer.limit is None:
        return max_length
    # A decoder-only model has prompt and target in one row of positions.
    room = tokenizer.limit - (output.max_length if joined else 0)
    if room < 1 or output.max_length > tokenizer.limit:
        prompt = " and a prompt before it" if joined else ""
        raise UsageError(
            f"the task generates up to {output.max_length} tokens{prompt}, but the model takes {tokenizer.limit}: "
            "choose a smaller max_length of the task"
        )
    return min(max_length, room)


def _targets(tokenizer: Tokenizer, examples: Examples, limit: int, *, joined: bool) -> list[list[int]]:
    """Returns each example's target ids, truncated to `limit` and ended by the end token; empty where unlabelled."""
    end = tokenizer.library.eos_token_id
    labelled = [i for i, example in enumerate(examples) if example.target is not None]
    texts = [examples[i].target[0] for i in labelled]
    # A target that continues a prompt gets no begin token. The tokenizer of an encoder-decoder may tokenise targets
    # differently from sources, hence `text_target`.
    if joined:
        encoded = _encode(tokenizer, texts, add_special_tokens=False)
    else:
        encoded = tokenizer.library(text_target=texts, return_attention_mask=False)["input_ids"] if texts else []
    targets: list[list[int]] = [[] for _ in examples]
    for i, ids in zip(labelled, encoded, strict=True):
        is_complete = len(ids) <= limit and ids[-1:] == [end]
        targets[i] = ids if is_complete else [*ids[: limit - 1], end]
    return targets


def _sources(tokenizer: Tokenizer, texts: list[str], limit: int) -> tuple[list[list[int]], np.ndarray]:
    """Returns the token ids of each source, at most `limit`, and whether each was cut."""
    if not texts:
        return [], np.zeros(0, dtype=bool)
    encoded = tokenizer.library(texts, padding=False, return_attention_mask=False, max_length=limit, truncation=True)
    return encoded["input_ids"], was_truncated(encoded, limit)


def _prompts(
    tokenizer: Tokenizer, texts: Sequence[str], template: str, limit: int
) -> tuple[list[list[int]], list[bool]]:
    """Returns the token ids of each prompt, at most `limit`, and whether the end of its source was cut off.

    Raises:
        UsageError: The template alone has more tokens than `limit`.
    """
    before, _, after = template.partition(SOURCE)
    prompts = _open_ended(tokenizer, [before + text + after for text in texts])
    truncated = [len(ids) > limit for ids in prompts]
    for i, ids in enumerate(prompts):
        text, excess = texts[i], len(ids) - limit
        # The source may have to be shortened several times: after each cut, its tokens and those of the template may
        # merge differently.
        while excess > 0 and text:
            spans = tokenizer.library(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
            remaining = len(spans) - excess
            text = text[: min(spans[remaining - 1][1], len(text) - 1)] if remaining > 0 else ""
            (prompts[i],) = _open_ended(tokenizer, [before + text + after])
            excess = len(prompts[i]) - limit
        if excess > 0:
            tokens = len(prompts[i])
            raise UsageError(f"the prompt {template!r} alone takes {tokens} tokens; shorten it to at most {limit}")
    return prompts, truncated


def _open_ended(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Returns token ids without the end token that some tokenizers append, since the text is to be continued."""
    end = tokenizer.library.eos_token_id
    begin = tokenizer.library.bos_token_id
    encoded = _encode(tokenizer, texts)
    # GPT-2's begin and end are one token: a last token equal to both may be the begin token of an empty text.
    return [ids[:-1] if len(ids) > 1 and ids[-1] == end and end != begin else ids for ids in encoded]


def _encode(tokenizer: Tokenizer, texts: list[str], **options: Any) -> list[list[int]]:
    if not texts:
        return []
    ids: list[list[int]] = tokenizer.library(texts, padding=False, return_attention_mask=False, **options)["input_ids"]
    return ids


def _flattened(rows: Sequence[list[int]], name: str) -> dict[str, np.ndarray]:
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
