"""The toy backbone's encoder: word embeddings and a few tiny attention blocks, cut at every stage."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tlbench.contracts.outputs import Output
from tlbench.contracts.task import Examples
from tlbench.modeling.data import Batch, Data, one_row_each
from tlbench.modeling.encoder import Encoder, Hidden, Stage, as_hidden

VOCABULARY = 1024
PADDING, SEPARATOR, FIRST_WORD = 0, 1, 2
LONGEST = 64


class ToyBlock(nn.Module):
    """A pre-norm attention layer of one head and a small MLP, both residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Maps x (B, T, D) with mask (B, T) to (B, T, D)."""
        query, key, value = self.attention(self.norm(x)).chunk(3, dim=-1)
        read = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, :])
        x = x + self.dropout(self.out(read))
        result: Tensor = x + self.dropout(self.mlp(x))
        return result


class ToyModule(nn.Module):
    """The toy's native module: embeddings with sinusoidal positions (a buffer), blocks, and a final norm."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(VOCABULARY, width, padding_idx=PADDING)
        self.blocks = nn.ModuleList(ToyBlock(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        angles = torch.arange(LONGEST)[:, None] / 100 ** (torch.arange(width)[None] / width)
        self.positions: Tensor
        self.register_buffer("positions", 0.3 * angles.sin())

    def embed(self, ids: Tensor) -> Tensor:
        """Maps ids (B, T) to (B, T, D)."""
        embedded: Tensor = self.embeddings(ids) + self.positions[: ids.shape[1]]
        return embedded


class ToyEncoder(Encoder):
    """Stage 0 is the embeddings, each block is one more; the final norm belongs to the last."""

    def __init__(self, native: ToyModule, readout: str) -> None:
        super().__init__()
        self.native: ToyModule = native
        self.width = native.norm.normalized_shape[0]
        self.readout = readout
        self.identity = f"toy:{_digest(native)}"

    @property
    def stages(self) -> Sequence[Stage]:
        """The embeddings, then the blocks."""
        names = list(dict(self.native.named_parameters()))
        last = len(self.native.blocks) - 1
        blocks = [
            Stage(f"block{i}", tuple(n for n in names if n.startswith((f"blocks.{i}.", "norm." if i == last else "!"))))
            for i in range(last + 1)
        ]
        return [Stage("embeddings", tuple(n for n in names if n.startswith("embeddings."))), *blocks]

    def forward(self, batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        """Returns what stage `stop - 1` puts out, beginning before stage `start`."""
        count = len(self.native.blocks) + 1
        stop = count if stop is None else stop
        if not (0 <= start <= count and max(start, 1) <= stop <= count):
            raise ValueError(f"no stages {start} to {stop} in an encoder of {count}")
        if start:
            hidden = as_hidden(batch)
            x, mask = hidden.x, hidden.mask
            assert mask is not None
        elif isinstance(batch, Hidden):
            raise ValueError("the first stage needs a batch")
        else:
            mask = batch["mask"]
            x = self.native.embed(batch["ids"])
        for block in self.native.blocks[max(start, 1) - 1 : stop - 1]:
            x = block(x, mask)
        if start < stop == count:
            x = self.native.norm(x)
        return Hidden(x, mask)

    def pool(self, hidden: Hidden) -> Tensor:
        """Returns (B, width): the mean over the mask, or the first position."""
        if self.readout == "first":
            return hidden.x[:, 0]
        assert hidden.mask is not None
        weights = hidden.mask[..., None].to(hidden.x.dtype)
        return (hidden.x * weights).sum(1) / weights.sum(1).clamp(min=1)


def build(width: int, blocks: int, readout: str, weights: int | None) -> ToyEncoder:
    """Returns an encoder with weights drawn from this seed, or from torch's global generator if None."""
    if weights is None:
        return ToyEncoder(ToyModule(width, blocks), readout).eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights)
        return ToyEncoder(ToyModule(width, blocks), readout).eval()


def featurize(examples: Examples, output: Output | None = None) -> Data:
    """Returns each example as one row of hashed words, and where these stand if the output asks for it.

    The texts of a pair, or a question and its context, stand on both sides of a separator. What is beyond the
    longest row is left out.
    """
    pieces = [_pieces(example.inputs) for example in examples]
    rows = [[SEPARATOR if word is None else _hashed(word) for word, *_ in row] for row in pieces]
    data = one_row_each(examples, rows, collate, [len(row) for row in rows], "toy-words")
    if output is not None and output.reads == "words":
        return replace(data, alignment=[np.array([number for _, number, _, _ in row]) for row in pieces])
    if output is not None and output.reads == "context":
        places = [[(first, last) if part == 1 else (-1, -1) for _, _, part, (first, last) in row] for row in pieces]
        return replace(data, alignment=[np.array(row) for row in places])
    return data


def collate(rows: Sequence[list[int]]) -> Batch:
    """Returns ids (B, T) int64 and mask (B, T) bool, padded on the right."""
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), PADDING)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    return {"ids": ids, "mask": ids != PADDING}


def _pieces(inputs: tuple[Any, ...]) -> list[tuple[str | None, int, int, tuple[int, int]]]:
    """Returns the words with their number, their input and their characters in it; after each input a separator."""
    pieces: list[tuple[str | None, int, int, tuple[int, int]]] = []
    for part, given in enumerate(inputs):
        if isinstance(given, str):
            found = [(match[0], match.span()) for match in re.finditer(r"\S+", given)]
        else:
            found = [(word, (-1, -1)) for word in given]
        pieces += [(word, number, part, place) for number, (word, place) in enumerate(found)]
        pieces.append((None, -1, part, (-1, -1)))
    return pieces[:LONGEST]


def _hashed(word: str) -> int:
    return FIRST_WORD + zlib.crc32(word.lower().encode()) % (VOCABULARY - FIRST_WORD)


def _digest(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:16]
