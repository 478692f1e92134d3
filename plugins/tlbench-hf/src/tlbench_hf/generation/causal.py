"""The head of decoder-only models (GPT-2, Llama): generates a continuation of a prompt."""

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
    GenerationSettings,
    RemovedEncoder,
    SourceStates,
    TextHead,
    cross_entropy,
    dtype_of,
    remove_shared_weights,
    replace_module,
    token_log_likelihood,
    trim_targets,
)
from tlbench_hf.loading import load_config, quiet
from tlbench_hf.sources import weight_files


class CausalHead(TextHead):
    """The output layer of a decoder-only model; if it is tied to the input embeddings, it has no weights of its own.

    A row is a prompt followed by its target. The loss covers the target's tokens only; generation starts from the
    prompt and caches keys and values between tokens.
    """

    reads_batch: ClassVar[bool] = True

    def __init__(
        self, native: Any, base: str, gaps: tuple[str, ...], generation: GenerationSettings, config: Any
    ) -> None:
        """Takes a model whose blocks, at the path `base`, were removed, and the configuration of the encoder."""
        super().__init__(native, gaps, generation)
        self.base = base
        native.config = config
        self.pad: int = native.generation_config.pad_token_id

    def loss(self, logits: SourceStates, targets: Tensor) -> Tensor:
        """Returns the mean loss per token of the targets (B, L), which are the last tokens of their rows.

        Args:
            logits: Last hidden states (B, T, D) of prompt and target together.
            targets: Token ids, -100 beyond the end of a target.
        """
        scores, is_target = self._target_logits(logits, targets)
        return cross_entropy(scores, trim_targets(targets)[is_target])

    def log_likelihood(self, logits: SourceStates, targets: Tensor) -> Tensor:
        """Returns the log-probability of each row's target, the end token included, (B,); arguments as for `loss`."""
        scores, is_target = self._target_logits(logits, targets)
        labels = trim_targets(targets)
        chosen = token_log_likelihood(scores, labels[is_target])
        return chosen.new_zeros(labels.shape).masked_scatter(is_target, chosen).sum(1)

    def _target_logits(self, logits: SourceStates, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the logits of all target tokens, (N, V), and which positions of the targets they are, (B, L) bool."""
        labels = trim_targets(targets)
        is_target = labels != IGNORED
        batch, length = logits.x.shape[:2]
        ends = torch.full((batch,), length, device=labels.device) if logits.mask is None else logits.mask.sum(1)
        # The hidden state at position t predicts token t + 1, so a target's states begin one position before it.
        positions = (ends - is_target.sum(1) - 1)[:, None] + torch.arange(labels.shape[1], device=labels.device)
        rows = torch.arange(batch, device=labels.device)[:, None].expand_as(positions)
        states = logits.x[rows[is_target], positions[is_target]]
        with self.lent(logits.table), self._with_blocks(_GivenStates(states[None])):
            # The model's own forward, because families scale or cap logits after the output layer. The ids only pass
            # its shape checks: `_GivenStates` ignores them.
            answer = self.native(input_ids=labels[:1, :1].clamp(min=0), use_cache=False)
        return answer.logits[0], is_target

    def outputs(self, logits: SourceStates) -> Outputs:
        """Raises an error, because generation needs keys and values of every block, not the last hidden states.

        Raises:
            PluginError: Always.
        """
        raise PluginError("a decoder-only model generates from token ids, not from cached hidden states")

    def decode(self, encoder: Encoder, batch: Batch | Hidden, start: int = 0) -> Outputs:
        """Returns the text generated after each prompt.

        Raises:
            PluginError: Hidden states were given instead of token ids.
        """
        if isinstance(batch, Hidden):
            raise PluginError("a decoder-only model generates from token ids, not from cached hidden states")
        native: Any = encoder.native
        prompts = _prompts(batch, self.pad)
        with self.lent(native.get_input_embeddings().weight), self._with_blocks(native):
            ids = self.write(**prompts)
        # `generate` returns the prompt too; prompts are padded on the left, so all end at the same column.
        return Outputs(self.texts(ids[:, prompts["input_ids"].shape[1] :]))

    @contextmanager
    def _with_blocks(self, blocks: nn.Module) -> Iterator[None]:
        """Context manager that puts a module in place of the model's transformer blocks.

        The module is written into `_modules` directly and removed afterwards: if it were registered as a child, the
        encoder's weights would become the head's own.
        """
        parent, _, name = self.base.rpartition(".")
        siblings = self.native.get_submodule(parent)._modules
        placeholder = siblings[name]
        siblings[name] = blocks
        try:
            yield
        finally:
            siblings[name] = placeholder


class _GivenStates(nn.Module):
    """Replaces a model's blocks and returns given hidden states, so that only the output layer is computed."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.x = x

    def forward(self, *args: Any, **kwargs: Any) -> _BlocksOutput:
        return _BlocksOutput(last_hidden_state=self.x)

    @property
    def decoder(self) -> _GivenStates:
        """The module itself, because OPT calls the `decoder` of its base model instead of the base model."""
        return self


class _BlocksOutput(BaseModelOutputWithPast):
    """Output of a model's blocks whose missing attributes (attentions, routing logits and so on) read as None."""

    def __getattr__(self, name: str) -> None:
        # copy and pickle probe for special methods, and would call None.
        if name.startswith("__"):
            raise AttributeError(name)


def causal_head(
    folder: Path, title: str, pretrained: bool, encoder: Encoder, generation: GenerationSettings
) -> CausalHead:
    """Returns a new head with the output layer of a folder's model, in the encoder's dtype.

    The head uses the encoder's blocks instead of loading the blocks again.

    Raises:
        PluginError: A tensor of the output layer did not load, or the model has no separable blocks.
    """
    auto: Any = transformers.AutoModelForCausalLM
    config = load_config(folder, title)
    # On the meta device, so that the blocks, which are dropped below, take neither memory nor time.
    with quiet(), torch.device("meta"):
        native = auto.from_config(config, dtype=torch.float32, trust_remote_code=False)
    blocks = native.base_model
    if blocks is native:
        raise PluginError(f"{title}: {type(native).__name__} has no separate blocks, so it cannot get an output head")
    owned = {id(weight) for weight in blocks.parameters()}
    base = replace_module(native, blocks, RemovedEncoder())
    gaps = remove_shared_weights(native, owned)
    native.to_empty(device="cpu")
    if pretrained:
        _load_output_layer(native, folder, title)
    else:
        for module in native.modules():
            native._init_weights(module)
    native.to(dtype_of(encoder))
    return CausalHead(native, base, gaps, generation, encoder.native.config).eval()


def _load_output_layer(native: nn.Module, folder: Path, title: str) -> None:
    """Copies the output layer's tensors from the folder's weights into the model.

    Raises:
        PluginError: A tensor is missing from the checkpoint or has a different shape there.
    """
    missing = dict(native.named_parameters())
    for path in weight_files(folder) if missing else ():
        with safe_open(path, framework="pt") as file:
            # `safe_open` reads single tensors on request, so the blocks in the file are not read.
            stored = {_current_name(name): name for name in file.keys()}  # noqa: SIM118 - a file is no mapping
            for name in missing.keys() & stored.keys():
                tensor = file.get_tensor(stored[name])
                if tensor.shape != missing[name].shape:
                    raise PluginError(f"{title}: the output layer's {name} has another shape in the checkpoint")
                with torch.no_grad():
                    missing.pop(name).copy_(tensor)
    if missing:
        raise PluginError(f"{title}: tensors of the output layer are missing from the checkpoint: {sorted(missing)[0]}")


def _current_name(name: str) -> str:
    """Returns a tensor's name in current transformers; GPT-NeoX checkpoints name the output layer differently."""
    return f"lm_head.{name.removeprefix(OLD_OUTPUT_LAYER)}" if name.startswith(OLD_OUTPUT_LAYER) else name


def _prompts(batch: Batch, pad: int) -> dict[str, Tensor]:
    """Returns input_ids and attention_mask (B, P) of the prompts without targets, padded on the left.

    `generate` appends to the last column, so all prompts must end there.
    """
    lengths: Tensor = batch["prompt_lengths"]
    longest = int(lengths.max())
    positions = torch.arange(longest, device=lengths.device) - (longest - lengths)[:, None]
    mask = positions >= 0
    ids = batch["input_ids"].gather(1, positions.clamp(min=0))
    return {"input_ids": ids.where(mask, torch.full_like(ids, pad)), "attention_mask": mask.long()}
