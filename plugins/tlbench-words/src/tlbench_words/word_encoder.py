"""The encoder over a table of word vectors, and the functions that turn examples into rows of word ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from tlbench import Examples, PluginError
from tlbench.modeling.data import Batch, Data, one_row_each
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.stages.staged_encoder import Convention, StagedEncoder
from tlbench_words.splitting import UNKNOWN, Splitter
from tlbench_words.vector_files import Vectors


class WordTable(nn.Module):
    """An embedding table: one vector per word."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(weight, freeze=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Returns the vectors (B, T, D) of ids (B, T)."""
        vectors: Tensor = self.embedding(ids)
        return vectors


class WordConvention(Convention):
    """Calls the table on word ids and returns their vectors."""

    def run(self, native: nn.Module, batch: Batch) -> Tensor:
        """Returns vectors, (B, T, D)."""
        vectors: Tensor = native(batch["ids"])
        return vectors

    def sample(self, native: nn.Module) -> Batch:
        """Returns a batch of unknown words, (2, 3)."""
        ids = torch.zeros((2, 3), dtype=torch.long, device=next(native.parameters()).device)
        return {"ids": ids, "mask": torch.ones_like(ids, dtype=torch.bool)}

    def standin(self, hidden: Hidden) -> Batch:
        """Returns a batch of unknown words, (B, T) as the hidden states (B, T, D), with their mask."""
        return {"ids": torch.zeros(hidden.x.shape[:2], dtype=torch.long, device=hidden.x.device), "mask": hidden.mask}

    def mask(self, batch: Batch) -> Tensor | None:
        """Returns the mask, (B, T) bool, False at padding."""
        mask: Tensor = batch["mask"]
        return mask


def encoder(vectors: Vectors, digest: str, readout: str, pretrained: bool) -> StagedEncoder:
    """Returns an encoder whose only stage is the table of word vectors.

    If not `pretrained`, the vectors are random, with the standard deviation of `vectors`.
    """
    # Copied: the cached table is memory-mapped read-only, and fine-tuning writes into the weight.
    weight = torch.from_numpy(np.array(vectors.table))
    identity = f"words:{digest}"
    if not pretrained:
        # Row 0 (unknown) is all zeros and would bias the deviation.
        deviation = float(weight[1:].std(unbiased=False))
        weight = nn.init.normal_(torch.empty_like(weight), std=deviation)
        weight[UNKNOWN] = 0
        identity = f"random:words:{tuple(weight.shape)}"
    return StagedEncoder(WordTable(weight).eval(), WordConvention(), (), readout=readout, identity=identity)


def featurize_texts(examples: Examples, splitter: Splitter, length: int, fingerprint: str) -> Data:
    """Returns one row of word ids per example, with the words that have a vector, truncated to `length`.

    If a pair of texts is too long, the longer text is truncated first.

    Raises:
        PluginError: The inputs are not one or two texts.
    """
    if not all(len(e.inputs) in (1, 2) and all(isinstance(text, str) for text in e.inputs) for e in examples):
        raise PluginError("tlbench-words takes one or two texts per example")
    known = [[splitter.text(text) for text in example.inputs] for example in examples]
    rows = [_row(_cut(parts, length)) for parts in known]
    truncated = [sum(map(len, parts)) > length for parts in known]
    made = f"texts:{fingerprint}:{length}"
    return one_row_each(examples, rows, collate, [len(row) for row in rows], made, truncated=truncated)


def featurize_sentences(examples: Examples, splitter: Splitter, fingerprint: str) -> Data:
    """Returns one row of word ids per sentence; the alignment marks where each word of the sentence begins.

    Raises:
        PluginError: The inputs are not one tuple of words.
    """
    if not all(len(e.inputs) == 1 and isinstance(e.inputs[0], tuple | list) for e in examples):
        raise PluginError(
            "tlbench-words takes a sentence as one tuple of words per example, as inputs=(('a', 'word'),)"
        )
    rows, alignment = [], []
    for example in examples:
        parts = [splitter.word(word) for word in example.inputs[0]]
        # A word's alignment is its index at its first part and -1 at its other parts. A sentence without words gets one
        # unknown word, aligned with -1.
        begins = [[index, *[-1] * (len(part) - 1)] for index, part in enumerate(parts)]
        rows.append(_row(parts))
        alignment.append(np.array([place for part in begins for place in part] or [-1], dtype=np.int64))
    lengths, truncated = [len(row) for row in rows], [False] * len(rows)
    data = one_row_each(examples, rows, collate, lengths, f"sentences:{fingerprint}", truncated=truncated)
    return replace(data, alignment=alignment)


def collate(rows: Sequence[np.ndarray]) -> Batch:
    """Returns ids (B, T) int64 and mask (B, T) bool, padded on the right."""
    shape = len(rows), max(len(row) for row in rows)
    ids, mask = np.full(shape, UNKNOWN, dtype=np.int64), np.zeros(shape, dtype=bool)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = True
    return {"ids": torch.from_numpy(ids), "mask": torch.from_numpy(mask)}


def _row(parts: Sequence[Sequence[int]]) -> np.ndarray:
    # A text without any known word becomes one unknown word, because the mean over no words is 0/0.
    return np.array([row for part in parts for row in part] or [UNKNOWN], dtype=np.int32)


def _cut(parts: list[list[int]], length: int) -> list[list[int]]:
    if len(parts) == 1:
        return [parts[0][:length]]
    # As the longest_first truncation of tokenizers does: the shorter text is cut only below half of the length.
    first, second = parts
    first = first[: max(length - len(second), length // 2)]
    return [first, second[: length - len(first)]]
