"""Adapters that multiply: IA3, which scales activations, and OFT, which rotates weights. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tlbench import Choice, Job, Space, SpaceContext, Value
from tlbench_peft.peft_strategy import LayerAdapters
from tlbench_peft.target_layers import FEEDFORWARD_OUTPUT, KEY_VALUE, chosen, model_type


@dataclass(frozen=True)
class Ia3(LayerAdapters):
    """IA3: scales each key, each value and each activation within the feed-forward part by a trained factor.

    `targets=attention` means these layers here.
    """

    name: ClassVar[str] = "ia3"
    paper: ClassVar[str] = "Liu et al. 2022, arXiv:2205.05638"
    convolutions: ClassVar[bool] = True
    rates: ClassVar[tuple[float, float, float]] = (1e-3, 3e-2, 1e-2)
    weight_decay: float = 0.0
    """The factors start at 1, and decay would draw them to 0."""

    def size(self, width: int) -> float:
        """Returns the number of trained weights in a block: a key, a value and a feed-forward part of 4 widths."""
        return (12 if self.targets == "all" else 7) * width

    def config(self, job: Job, first: int) -> Any:
        """Returns peft's configuration."""
        from peft import IA3Config
        from peft.utils.constants import TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING as FEEDFORWARD
        from peft.utils.constants import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as KNOWN

        names = (*KEY_VALUE, *FEEDFORWARD_OUTPUT)
        layers = chosen(job.encoder, first, self.targets, KNOWN, otherwise=names, convolutions=self.convolutions)
        ends = FEEDFORWARD.get(model_type(job.encoder), FEEDFORWARD_OUTPUT)
        inner = [path for path in layers if any(path.endswith(f".{end}") for end in ends)]
        return IA3Config(target_modules=layers, feedforward_modules=inner)


@dataclass(frozen=True)
class Oft(LayerAdapters):
    """OFT: multiplies each chosen matrix by a trained rotation made of blocks, which keeps the angles of its rows."""

    name: ClassVar[str] = "oft"
    paper: ClassVar[str] = "Qiu et al. 2023, arXiv:2306.07280"

    def space(self, about: SpaceContext) -> Space:
        """Returns the ranges of the learning rate and of the side of a block."""
        return {**super().space(about), "block_size": Choice((8, 16, 32))}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns blocks of 32, as peft has them."""
        return {**super().defaults(about), "block_size": 32}

    def size(self, width: int) -> float:
        """Returns the number of trained weights in a block: half a square for each block of a matrix's inputs."""
        return self.matrices[1] / 2 * width * (32 - 1) / 2

    def config(self, job: Job, first: int) -> Any:
        """Returns peft's configuration; peft takes the nearest size that divides a layer's inputs."""
        from peft import OFTConfig

        return OFTConfig(oft_block_size=int(job.params["block_size"]), target_modules=self.layers(job, first))
