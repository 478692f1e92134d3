"""Word vectors as an encoder of one stage, and examples as rows for it."""

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
    """One vector for each word."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(weight, freeze=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Maps ids (B, T) to vectors (B, T, D)."""
        vectors: Tensor = self.embedding(ids)
        return vectors


class WordConvention(Convention):
    """Rows of the table in, their vectors out."""

    def run(self, native: nn.Module, batch: Batch) -> Tensor:
        """Returns (B, T, D)."""
        vectors: Tensor = native(batch["ids"])
        return vectors

    def sample(self, native: nn.Module) -> Batch:
        """Returns (2, 3) unknown words."""
        ids = torch.zeros((2, 3), dtype=torch.long, device=next(native.parameters()).device)
        return {"ids": ids, "mask": torch.ones_like(ids, dtype=torch.bool)}

    def standin(self, hidden: Hidden) -> Batch:
        """Returns unknown words in the shape of the batch."""
        return {"ids": torch.zeros(hidden.x.shape[:2], dtype=torch.long, device=hidden.x.device), "mask": hidden.mask}

    def mask(self, batch: Batch) -> Tensor | None:
        """Returns (B, T) bool."""
        mask: Tensor = batch["mask"]
        return mask


def encoder(vectors: Vectors, digest: str, readout: str, pretrained: bool) -> StagedEncoder:
    """Returns an encoder whose only stage is the table; random of the same spread if not `pretrained`."""
    weight = torch.from_numpy(np.array(vectors.table))
    identity = f"words:{digest}"
    if not pretrained:
        spread = float(weight[1:].std(unbiased=False))
        weight = nn.init.normal_(torch.empty_like(weight), std=spread)
        weight[UNKNOWN] = 0
        identity = f"random:words:{tuple(weight.shape)}"
    return StagedEncoder(WordTable(weight).eval(), WordConvention(), (), readout=readout, identity=identity)


def texts(examples: Examples, splitter: Splitter, length: int, fingerprint: str) -> Data:
    """Returns a row of known words for each example, of one text or two, cut at the longer one first.

    Raises:
        PluginError: Inputs that are not one or two texts.
    """
    if not all(len(e.inputs) in (1, 2) and all(isinstance(text, str) for text in e.inputs) for e in examples):
        raise PluginError("tlbench-words takes one text or two for each example")
    rows = [_row(_cut([splitter.text(text) for text in example.inputs], length)) for example in examples]
    return one_row_each(examples, rows, collate, [len(row) for row in rows], f"texts:{fingerprint}:{length}")


def sentences(examples: Examples, splitter: Splitter, fingerprint: str) -> Data:
    """Returns a row for each sentence, with every word of it or its parts; the alignment says where a word begins.

    Raises:
        PluginError: Inputs that are not the words of one sentence.
    """
    if not all(len(e.inputs) == 1 and isinstance(e.inputs[0], tuple | list) for e in examples):
        raise PluginError("tlbench-words takes the words of a sentence as one tuple of texts")
    rows, alignment = [], []
    for example in examples:
        parts = [splitter.word(word) for word in example.inputs[0]]
        begins = [[index, *[-1] * (len(part) - 1)] for index, part in enumerate(parts)]
        rows.append(_row(parts))
        alignment.append(np.array([place for part in begins for place in part] or [-1], dtype=np.int64))
    data = one_row_each(examples, rows, collate, [len(row) for row in rows], f"sentences:{fingerprint}")
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
    # A text without a known word is one unknown word: the mean of nothing would be 0/0.
    return np.array([row for part in parts for row in part] or [UNKNOWN], dtype=np.int32)


def _cut(parts: list[list[int]], length: int) -> list[list[int]]:
    if len(parts) == 1:
        return [parts[0][:length]]
    first, second = parts
    first = first[: max(length - len(second), length // 2)]
    return [first, second[: length - len(first)]]
