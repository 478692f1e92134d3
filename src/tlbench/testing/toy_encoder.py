"""The toy backbone's encoder: word embeddings and a few small attention blocks, each a stage."""

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
"""Maximum number of tokens in a row; the rest of an example is cut off."""


class ToyBlock(nn.Module):
    """A pre-norm transformer block with one attention head."""

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
        """Maps x (B, T, D) with mask (B, T), True for words, to (B, T, D)."""
        query, key, value = self.attention(self.norm(x)).chunk(3, dim=-1)
        attended = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, :])
        x = x + self.dropout(self.out(attended))
        result: Tensor = x + self.dropout(self.mlp(x))
        return result


class ToyModule(nn.Module):
    """The toy's native module: embeddings, blocks and a final norm; the positions are a buffer."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(VOCABULARY, width, padding_idx=PADDING)
        self.blocks = nn.ModuleList(ToyBlock(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        # A buffer and not a parameter, so that tests cover encoders that have both.
        angles = torch.arange(LONGEST)[:, None] / 100 ** (torch.arange(width)[None] / width)
        self.positions: Tensor
        self.register_buffer("positions", 0.3 * angles.sin())

    def embed(self, ids: Tensor) -> Tensor:
        """Maps ids (B, T) to (B, T, D)."""
        embedded: Tensor = self.embeddings(ids) + self.positions[: ids.shape[1]]
        return embedded


class ToyEncoder(Encoder):
    """Stage 0 is the embeddings and each block is one stage; the final norm belongs to the last block's stage."""

    def __init__(self, native: ToyModule, readout: str) -> None:
        super().__init__()
        self.native: ToyModule = native
        self.width = native.norm.normalized_shape[0]
        self.readout = readout
        self.identity = f"toy:{_digest(native)}"

    @property
    def stages(self) -> Sequence[Stage]:
        """The embeddings and the blocks, in order."""
        names = list(dict(self.native.named_parameters()))
        last = len(self.native.blocks) - 1
        # Only the last block's stage has the final norm; "!" is a prefix that no parameter name has.
        blocks = [
            Stage(f"block{i}", tuple(n for n in names if n.startswith((f"blocks.{i}.", "norm." if i == last else "!"))))
            for i in range(last + 1)
        ]
        return [Stage("embeddings", tuple(n for n in names if n.startswith("embeddings."))), *blocks]

    def forward(self, batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        """Returns the output of stage `stop - 1`, given a batch or, with a `start`, the output of stage `start - 1`."""
        count = len(self.native.blocks) + 1
        stop = count if stop is None else stop
        if not (0 <= start <= count and max(start, 1) <= stop <= count):
            raise ValueError(f"there are no stages {start} to {stop}: this encoder has {count}")
        if start:
            hidden = as_hidden(batch)
            x, mask = hidden.x, hidden.mask
            assert mask is not None
        elif isinstance(batch, Hidden):
            raise ValueError("stage 0 needs a batch: set `start` to continue from a hidden state")
        else:
            mask = batch["mask"]
            x = self.native.embed(batch["ids"])
        # Stage i is block i - 1.
        for block in self.native.blocks[max(start, 1) - 1 : stop - 1]:
            x = block(x, mask)
        # Nothing runs if start == stop == count, and then the norm has been applied already.
        if start < stop == count:
            x = self.native.norm(x)
        return Hidden(x, mask)

    def pool(self, hidden: Hidden) -> Tensor:
        """Returns (B, width): the mean of the words' vectors, or the first vector if `readout` is "first"."""
        if self.readout == "first":
            return hidden.x[:, 0]
        assert hidden.mask is not None
        weights = hidden.mask[..., None].to(hidden.x.dtype)
        return (hidden.x * weights).sum(1) / weights.sum(1).clamp(min=1)


def build(width: int, blocks: int, readout: str, weights: int | None) -> ToyEncoder:
    """Returns an encoder with random weights from the seed `weights`, or from torch's global generator if None."""
    if weights is None:
        return ToyEncoder(ToyModule(width, blocks), readout).eval()
    # Loading "pretrained" weights must not change the state of the global generator.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights)
        return ToyEncoder(ToyModule(width, blocks), readout).eval()


def featurize(examples: Examples, output: Output | None = None) -> Data:
    """Returns each example as one row of hashed words, with an alignment if the output is of words or spans.

    A separator follows each text of an example. Rows are cut off after `LONGEST` tokens.
    """
    whole = [_pieces(example.inputs) for example in examples]
    pieces = [row[:LONGEST] for row in whole]
    rows = [[SEPARATOR if word is None else _hashed(word) for word, *_ in row] for row in pieces]
    truncated = [len(row) > LONGEST for row in whole]
    data = one_row_each(examples, rows, collate, [len(row) for row in rows], "toy-words", truncated=truncated)
    if output is not None and output.reads == "words":
        return replace(data, alignment=[np.array([number for _, number, _, _ in row]) for row in pieces])
    if output is not None and output.reads == "context":
        # Input 0 is the question, input 1 the context; answers are spans of the context.
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
    """Returns the tokens of an example as (word, index of the word, index of its input, character range in it).

    A separator is (None, -1, index of the input, (-1, -1)); words of a tuple have no characters, which is (-1, -1).
    """
    pieces: list[tuple[str | None, int, int, tuple[int, int]]] = []
    for part, text_or_words in enumerate(inputs):
        if isinstance(text_or_words, str):
            words = [(match[0], match.span()) for match in re.finditer(r"\S+", text_or_words)]
        else:
            words = [(word, (-1, -1)) for word in text_or_words]
        pieces += [(word, number, part, place) for number, (word, place) in enumerate(words)]
        pieces.append((None, -1, part, (-1, -1)))
    return pieces


def _hashed(word: str) -> int:
    # Python's own hash of a str differs between processes.
    return FIRST_WORD + zlib.crc32(word.lower().encode()) % (VOCABULARY - FIRST_WORD)


def _digest(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:16]
