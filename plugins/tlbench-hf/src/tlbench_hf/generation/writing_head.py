"""Heads that write: what pretrained decoders have in common, whether they stand on an encoder or alone.

A weight that the encoder has too (its table of words, tied to the decoder's and to the output layer) belongs to the
encoder's lowest stage. The head's modules have a gap in its place, and are lent it while they run.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from tlbench import Predictions
from tlbench.modeling.data import Data
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.modeling.heads import Head, Outputs
from tlbench.modeling.precision import at_least_fp32
from tlbench_hf.generation.prompt_rows import IGNORED, asked, padded_targets
from tlbench_hf.loading import quiet
from tlbench_hf.text.tokenizing import load_tokenizer

_KEPT = ("bos_token_id", "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id", "bad_words_ids")
"""What a checkpoint's own settings say of its format. The rest is taste (beams, penalties, least lengths), and would
make backbones incomparable."""


@dataclass(frozen=True)
class Writing:
    """How texts are written."""

    folder: Path
    """Holds the tokenizer."""
    max_length: int
    """The most tokens of a text."""
    beams: int = 1
    """How many beginnings of a text are pursued; 1 is greedy."""


class SourceStates(NamedTuple):
    """What a head that writes has of a batch before a word is written."""

    x: Tensor
    """(B, T, D), the encoder's last output."""
    mask: Tensor | None
    """(B, T) bool."""
    table: Tensor
    """(V, D), the encoder's own table of words."""


class TextHead(Head):
    """Writes a text for each row by a model of transformers that lacks what the encoder has."""

    def __init__(self, native: Any, gaps: Sequence[str], writing: Writing) -> None:
        """Takes a model with gaps: the modules of these paths lack their `weight`."""
        super().__init__()
        self.native = native
        self.gaps = tuple(gaps)
        self.writing = writing
        tokenizer = load_tokenizer(writing.folder)
        self._set_generation(tokenizer.library.eos_token_id, tokenizer.pad.token)

    def asked(self, data: Data) -> Data:
        """Returns the data without what is to be written."""
        return asked(data)

    def forward(self, encoder: Encoder, hidden: Hidden) -> SourceStates:
        """Returns the encoder's states, and its table of words as it is now."""
        native: Any = encoder.native
        return SourceStates(hidden.x, hidden.mask, native.get_input_embeddings().weight)

    def targets(self, data: Data) -> Tensor:
        """Returns the tokens to write, (rows, L) int64, filled up with -100.

        Raises:
            ValueError: A row has no target.
        """
        return padded_targets(data)

    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns the rows' texts as the examples': one row each."""
        texts = [text for part in outputs for text in part.values]
        values = np.empty(len(texts), dtype=object)
        values[:] = texts
        return Predictions(data.ids, values)

    def write(self, **inputs: Any) -> Tensor:
        """Returns what the model writes, (B, L) token ids; gaps must have been filled."""
        with quiet():
            ids: Tensor = self.native.generate(**inputs)
        return ids

    def texts(self, ids: Tensor) -> list[str]:
        """Returns the texts of written tokens (B, L)."""
        library = load_tokenizer(self.writing.folder).library
        texts = library.batch_decode(ids.cpu(), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return [text.strip() for text in texts]

    @contextmanager
    def lent(self, table: Tensor) -> Iterator[None]:
        """Fills the gaps with the encoder's table of words until the block ends."""
        modules = [self.native.get_submodule(path) for path in self.gaps]
        for module in modules:
            # a plain attribute hides the gap without becoming a weight of the head
            module.__dict__["weight"] = table
        try:
            yield
        finally:
            for module in modules:
                del module.__dict__["weight"]

    def _set_generation(self, end: int, pad: int) -> None:
        make: Any = transformers.GenerationConfig
        own = getattr(self.native, "generation_config", None)
        kept = {name: value for name in _KEPT if (value := getattr(own, name, None)) is not None}
        # what is not set here is looked up in the model's own settings, so these take their place
        self.native.generation_config = make(
            **kept,
            eos_token_id=end,
            pad_token_id=pad,
            max_new_tokens=self.writing.max_length,
            num_beams=self.writing.beams,
            do_sample=False,
            use_cache=True,
        )


def text_head(
    kind: Literal["encoder-decoder", "decoder"],
    folder: Path,
    title: str,
    content: str | None,
    encoder: Encoder,
    writing: Writing,
) -> TextHead:
    """Returns a new head that writes, in the encoder's dtype.

    Args:
        kind: What the folder's model is.
        folder: Holds configuration, weights and tokenizer.
        title: The backbone's name, for messages.
        content: Names the weights; None for random ones.
        encoder: What the head is to stand on.
        writing: How texts are written.

    Raises:
        PluginError: A tensor of the decoder did not load.
    """
    if kind == "decoder":
        from tlbench_hf.generation.causal import causal_head

        return causal_head(folder, title, content is not None, encoder, writing)
    from tlbench_hf.generation.seq2seq import seq2seq_head

    return seq2seq_head(folder, title, content, encoder, writing)


class Absent(nn.Module):
    """Stands where the encoder was in its library's model."""

    main_input_name = "input_ids"

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Is never called: what the encoder says is given."""
        raise RuntimeError("the encoder's states were to be given")


def take_out(native: Any, part: nn.Module, put: nn.Module) -> str:
    """Puts a module in the place of a part of the model; returns its path."""
    path: str = next(path for path, module in native.named_modules() if module is part)
    parent, _, name = path.rpartition(".")
    setattr(native.get_submodule(parent), name, put)
    return path


def leave_gaps(native: nn.Module, owned: Container[int]) -> tuple[str, ...]:
    """Takes weights, named by their `id`, out of a model; returns the paths of the modules that lack theirs now.

    Raises:
        ValueError: What is shared is no module's `weight`.
    """
    gaps = []
    for path, module in native.named_modules():
        for name, weight in module._parameters.items():
            if weight is None or id(weight) not in owned:
                continue
            if name != "weight":
                raise ValueError(f"{path}.{name} is shared with the encoder")
            gaps.append(path)
    for path in gaps:
        native.get_submodule(path)._parameters["weight"] = None
    return tuple(gaps)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Returns the mean loss, in fp32 at least, over the labels (N,) that are not -100, of logits (N, V)."""
    return nn.functional.cross_entropy(at_least_fp32(logits), labels, ignore_index=IGNORED)


def cut_to_batch(targets: Tensor) -> Tensor:
    """Returns the targets (B, L) cut to the longest of them."""
    longest = int((targets != IGNORED).sum(1).max())
    return targets[:, : max(1, longest)]


def dtype_of(encoder: Encoder) -> torch.dtype:
    """Returns what an encoder's weights are."""
    return next(encoder.native.parameters()).dtype
