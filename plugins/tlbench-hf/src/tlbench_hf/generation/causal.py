"""Decoders alone: the pretrained output layer as a head that writes on from a prompt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
import transformers
from safetensors import safe_open
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from tlbench import PluginError
from tlbench.modeling.data import Batch
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.modeling.heads import Outputs
from tlbench_hf.families import OLD_OUTPUT_LAYER
from tlbench_hf.generation.prompt_rows import IGNORED
from tlbench_hf.generation.writing_head import (
    Absent,
    SourceStates,
    TextHead,
    Writing,
    cross_entropy,
    cut_to_batch,
    dtype_of,
    leave_gaps,
    take_out,
)
from tlbench_hf.loading import load_config, quiet
from tlbench_hf.sources import weight_files


class CausalHead(TextHead):
    """The output layer of a decoder alone; where it is tied to the table of words, it has no weight of its own.

    A row is a prompt and what is to be written after it. The loss is taken on the latter; what is written is written
    from the prompt, with keys and values kept from one token to the next.
    """

    reads_batch: ClassVar[bool] = True

    def __init__(self, native: Any, base: str, gaps: tuple[str, ...], writing: Writing, config: Any) -> None:
        """Takes a model without its blocks, which were at the path `base`, and the configuration of those it gets."""
        super().__init__(native, gaps, writing)
        self.base = base
        native.config = config
        self.pad: int = native.generation_config.pad_token_id

    def loss(self, logits: SourceStates, targets: Tensor) -> Tensor:
        """Returns the mean loss a token of the targets (B, L), which are the last tokens of their rows."""
        labels = cut_to_batch(targets)
        there = labels != IGNORED
        batch, length = logits.x.shape[:2]
        ends = torch.full((batch,), length, device=labels.device) if logits.mask is None else logits.mask.sum(1)
        # what stands before a token says which it is
        before = (ends - there.sum(1) - 1)[:, None] + torch.arange(labels.shape[1], device=labels.device)
        rows = torch.arange(batch, device=labels.device)[:, None].expand_as(before)
        said = logits.x[rows[there], before[there]]
        with self.lent(logits.table), self._on(_Said(said[None])):
            answer = self.native(input_ids=labels[:1, :1].clamp(min=0), use_cache=False)
        return cross_entropy(answer.logits[0], labels[there])

    def outputs(self, logits: SourceStates) -> Outputs:
        """Raises: what is written depends on keys and values, not on the last hidden states.

        Raises:
            PluginError: Always.
        """
        raise PluginError("a decoder alone writes from the rows, not from hidden states")

    def decode(self, encoder: Encoder, batch: Batch | Hidden, start: int = 0) -> Outputs:
        """Returns the texts that are written after the prompts.

        Raises:
            PluginError: Hidden states in place of rows.
        """
        if isinstance(batch, Hidden):
            raise PluginError("a decoder alone writes from the rows, not from hidden states")
        native: Any = encoder.native
        prompts = _prompts(batch, self.pad)
        with self.lent(native.get_input_embeddings().weight), self._on(native):
            ids = self.write(**prompts)
        return Outputs(self.texts(ids[:, prompts["input_ids"].shape[1] :]))

    @contextmanager
    def _on(self, blocks: nn.Module) -> Iterator[None]:
        """Puts a module where the model's blocks belong until the block ends; it never becomes a part of the head."""
        parent, _, name = self.base.rpartition(".")
        siblings = self.native.get_submodule(parent)._modules
        absent = siblings[name]
        siblings[name] = blocks
        try:
            yield
        finally:
            siblings[name] = absent


class _Said(nn.Module):
    """Stands where the blocks belong and says what they said."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.x = x

    def forward(self, *args: Any, **kwargs: Any) -> _Answer:
        return _Answer(last_hidden_state=self.x)

    @property
    def decoder(self) -> _Said:
        """Itself: OPT does not call its blocks but the decoder in them."""
        return self


class _Answer(BaseModelOutputWithPast):
    """Has None of whatever else a family's blocks answer with: attentions, routes, states of its own."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def causal_head(folder: Path, title: str, pretrained: bool, encoder: Encoder, writing: Writing) -> CausalHead:
    """Returns a new head with the output layer in a folder, in the encoder's dtype.

    The blocks are the encoder's own, and are not loaded again.

    Raises:
        PluginError: A tensor of the output layer did not load.
    """
    auto: Any = transformers.AutoModelForCausalLM
    config = load_config(folder, title)
    with quiet(), torch.device("meta"):
        native = auto.from_config(config, dtype=torch.float32, trust_remote_code=False)
    blocks = native.base_model
    if blocks is native:
        raise PluginError(f"{title}: {type(native).__name__} has no blocks that could be taken out")
    owned = {id(weight) for weight in blocks.parameters()}
    base = take_out(native, blocks, Absent())
    gaps = leave_gaps(native, owned)
    native.to_empty(device="cpu")
    if pretrained:
        _fill(native, folder, title)
    else:
        for module in native.modules():
            native._init_weights(module)
    native.to(dtype_of(encoder))
    return CausalHead(native, base, gaps, writing, encoder.native.config).eval()


def _fill(native: nn.Module, folder: Path, title: str) -> None:
    wanted = dict(native.named_parameters())
    for path in weight_files(folder) if wanted else ():
        with safe_open(path, framework="pt") as file:
            stored = {_present_name(name): name for name in file.keys()}  # noqa: SIM118 - a file is no mapping
            for name in wanted.keys() & stored.keys():
                tensor = file.get_tensor(stored[name])
                if tensor.shape != wanted[name].shape:
                    raise PluginError(f"{title}: the output layer's {name} is of another shape in the checkpoint")
                with torch.no_grad():
                    wanted.pop(name).copy_(tensor)
    if wanted:
        raise PluginError(f"{title}: tensors of the output layer are missing from the checkpoint: {sorted(wanted)[0]}")


def _present_name(name: str) -> str:
    return f"lm_head.{name.removeprefix(OLD_OUTPUT_LAYER)}" if name.startswith(OLD_OUTPUT_LAYER) else name


def _prompts(batch: Batch, pad: int) -> dict[str, Tensor]:
    """Returns input_ids and attention_mask (B, P) of the prompts alone, padded on the left so that all end together."""
    ends: Tensor = batch["prompt_lengths"]
    longest = int(ends.max())
    places = torch.arange(longest, device=ends.device) - (longest - ends)[:, None]
    mask = places >= 0
    ids = batch["input_ids"].gather(1, places.clamp(min=0))
    return {"input_ids": ids.where(mask, torch.full_like(ids, pad)), "attention_mask": mask.long()}
