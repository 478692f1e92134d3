"""Base class of text-generating heads, and the functions that separate a decoder from its encoder.

Encoder, decoder and output layer may share (tie) the input embeddings. Such a shared weight belongs to the encoder's
lowest stage: it is removed from the head's modules, which borrow it from the encoder while they run.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from tlbench import Predictions
from tlbench.contracts.exports.forms import WritingModel
from tlbench.modeling.data import Data
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.modeling.heads import Head, Outputs
from tlbench.modeling.precision import at_least_fp32
from tlbench_hf.generation.prompt_rows import IGNORED, padded_targets, without_targets
from tlbench_hf.loading import quiet
from tlbench_hf.text.tokenizing import load_tokenizer

_FORMAT_SETTINGS = (
    "bos_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "bad_words_ids",
)
"""Generation settings that belong to a checkpoint's format and are kept.

All others (beams, penalties, minimum lengths) are the checkpoint author's preference and would make backbones
incomparable.
"""


@dataclass(frozen=True)
class GenerationSettings:
    """Settings for the generation of texts."""

    folder: Path
    """Folder with the tokenizer."""
    max_length: int
    """Maximum number of tokens in a generated text."""
    beams: int = 1
    """Width of the beam search; 1 is greedy decoding."""


class SourceStates(NamedTuple):
    """Output of the encoder for one batch, as a text head reads it before decoding."""

    x: Tensor
    """(B, T, D), the encoder's last hidden states."""
    mask: Tensor | None
    """(B, T) bool, or None where every position counts."""
    table: Tensor
    """(V, D), the encoder's input embeddings."""


class TextHead(Head):
    """Generates one text per row with a transformers model from which the encoder's part was removed."""

    def __init__(self, native: Any, gaps: Sequence[str], generation: GenerationSettings) -> None:
        """Takes a model in which the modules at the paths `gaps` have no `weight`, because the encoder owns it."""
        super().__init__()
        self.native = native
        self.gaps = tuple(gaps)
        self.generation = generation
        tokenizer = load_tokenizer(generation.folder)
        self._set_generation(tokenizer.library.eos_token_id, tokenizer.pad.token)

    def asked(self, data: Data) -> Data:
        """Returns the data without targets, for prediction."""
        return without_targets(data)

    def forward(self, encoder: Encoder, hidden: Hidden) -> SourceStates:
        """Returns the encoder's states and its current input embeddings."""
        native: Any = encoder.native
        return SourceStates(hidden.x, hidden.mask, native.get_input_embeddings().weight)

    def targets(self, data: Data) -> Tensor:
        """Returns target token ids, (rows, L) int64, padded with -100.

        Raises:
            ValueError: A row has no target.
        """
        return padded_targets(data)

    def loss_terms(self, targets: Tensor) -> Tensor:
        """Returns the number of tokens of the rows' targets."""
        return (targets != IGNORED).sum()

    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Returns the texts of all batches as predictions; each example has exactly one row."""
        texts = [text for part in outputs for text in part.values]
        # Filled in place: np.array(texts) would make a fixed-width string array.
        values = np.empty(len(texts), dtype=object)
        values[:] = texts
        return Predictions(data.ids, values)

    def write(self, **inputs: Any) -> Tensor:
        """Returns the token ids (B, L) that the model generates; call it inside `lent`."""
        with quiet():
            ids: Tensor = self.native.generate(**inputs)
        return ids

    def texts(self, ids: Tensor) -> list[str]:
        """Returns the decoded texts of token ids (B, L), without special tokens."""
        library = load_tokenizer(self.generation.folder).library
        texts = library.batch_decode(ids.cpu(), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return [text.strip() for text in texts]

    def exportable(self, encoder: Encoder) -> WritingModel:
        """Returns encoder and decoder."""
        return WritingModel(encoder, self)

    @contextmanager
    def lent(self, table: Tensor) -> Iterator[None]:
        """Context manager that sets `weight` of the modules at `gaps` to the encoder's input embeddings."""
        modules = [self.native.get_submodule(path) for path in self.gaps]
        for module in modules:
            # Python finds an instance attribute before it calls nn.Module.__getattr__, and the tensor does not become a
            # parameter of the head.
            module.__dict__["weight"] = table
        try:
            yield
        finally:
            for module in modules:
                del module.__dict__["weight"]

    def _set_generation(self, end: int, pad: int) -> None:
        config: Any = transformers.GenerationConfig
        own = getattr(self.native, "generation_config", None)
        kept = {name: value for name in _FORMAT_SETTINGS if (value := getattr(own, name, None)) is not None}
        # The model's own generation config is replaced, because `generate` falls back to it for unset values.
        self.native.generation_config = config(
            **kept,
            eos_token_id=end,
            pad_token_id=pad,
            max_new_tokens=self.generation.max_length,
            num_beams=self.generation.beams,
            do_sample=False,
            use_cache=True,
        )


class RemovedEncoder(nn.Module):
    """Placeholder for the encoder that was removed from a library's model."""

    # `generate` reads this attribute of the encoder even if the encoder's output is passed in.
    main_input_name = "input_ids"

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Raises an error, because the encoder's states are always passed in.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError("the removed encoder was called: pass encoder_outputs to the model")


def replace_module(native: Any, module_to_replace: nn.Module, replacement: nn.Module) -> str:
    """Replaces a submodule of the model and returns its path."""
    path: str = next(path for path, module in native.named_modules() if module is module_to_replace)
    parent, _, name = path.rpartition(".")
    # setattr, so that nn.Module registers the replacement.
    setattr(native.get_submodule(parent), name, replacement)
    return path


def remove_shared_weights(native: nn.Module, owned: Container[int]) -> tuple[str, ...]:
    """Removes the weights whose `id` is in `owned`; returns the paths of the modules that have lost their weight.

    Raises:
        ValueError: A shared parameter is not named `weight`.
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
    """Returns the mean loss, in fp32 or wider, of logits (N, V) over the labels (N,) that are not -100."""
    return nn.functional.cross_entropy(at_least_fp32(logits), labels, ignore_index=IGNORED)


def token_log_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    """Returns the log-probability of each label, in fp32 or wider; 0 where the label is -100.

    Args:
        logits: (..., V).
        labels: (...), token ids.
    """
    chances = at_least_fp32(logits).log_softmax(-1)
    chosen: Tensor = chances.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return chosen.masked_fill(labels == IGNORED, 0.0)


def trim_targets(targets: Tensor) -> Tensor:
    """Returns the targets (B, L) without the columns that are padding in every row."""
    longest = int((targets != IGNORED).sum(1).max())
    return targets[:, : max(1, longest)]


def dtype_of(encoder: Encoder) -> torch.dtype:
    """Returns the dtype of the encoder's weights."""
    return next(encoder.native.parameters()).dtype
