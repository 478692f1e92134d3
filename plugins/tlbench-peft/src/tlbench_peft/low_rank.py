"""Low-rank adapters: LoRA, DoRA, AdaLoRA and VeRA. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Choice, Job, Space, SpaceContext, Value
from tlbench_peft.peft_strategy import LayerAdapters

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.training import AfterStep, Loss, Model, Step

RANKS = (4, 8, 16)
ORTHOGONAL = 0.1
"""Weight of AdaLoRA's penalty, in the middle of the paper's range (appendix C)."""


@dataclass(frozen=True)
class Lora(LayerAdapters):
    """LoRA: adds a product of two trained matrices of low rank to each chosen matrix."""

    name: ClassVar[str] = "lora"
    paper: ClassVar[str] = "Hu et al. 2022, arXiv:2106.09685; rsLoRA: Kalajdzievski 2023, arXiv:2312.03732"
    convolutions: ClassVar[bool] = True
    use_rslora: bool = False
    """Whether the product is scaled by alpha / sqrt(rank) in place of alpha / rank."""
    lora_dropout: float = 0.0
    """Probability of dropout before the adapter."""

    def space(self, about: SpaceContext) -> Space:
        """Returns the ranges of the learning rate, of the rank, and of alpha, the scale times the rank."""
        return {**super().space(about), "rank": Choice(RANKS), "alpha": Choice((8, 16, 32))}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns rank 8 with an alpha of twice the rank, as is usual."""
        return {**super().defaults(about), "rank": 8, "alpha": 16}

    def size(self, width: int) -> float:
        """Returns the number of trained weights in a block: a row of the rank's length for each side's element."""
        return self.matrices[1] * width * max(RANKS)

    def config(self, job: Job, first: int) -> Any:
        """Returns peft's configuration."""
        from peft import LoraConfig

        return LoraConfig(
            r=int(job.params["rank"]),
            lora_alpha=int(job.params["alpha"]),
            lora_dropout=self.lora_dropout,
            use_rslora=self.use_rslora,
            target_modules=self.layers(job, first),
        )


@dataclass(frozen=True)
class Dora(Lora):
    """DoRA: LoRA on the direction of each matrix, with a trained magnitude for each of its outputs."""

    name: ClassVar[str] = "dora"
    paper: ClassVar[str] = "Liu et al. 2024, arXiv:2402.09353"

    def size(self, width: int) -> float:
        """Returns the number of trained weights in a block: LoRA's, and a magnitude for each output."""
        return super().size(width) + self.matrices[1] * width / 2

    def config(self, job: Job, first: int) -> Any:
        """Returns peft's configuration."""
        config = super().config(job, first)
        config.use_dora = True
        return config


@dataclass(frozen=True)
class AdaLora(LayerAdapters):
    """AdaLoRA: LoRA in the form of a singular value decomposition whose ranks are cut where they matter least.

    Training begins with 1.5 times the rank in every matrix and ends with the rank on average.
    """

    name: ClassVar[str] = "adalora"
    paper: ClassVar[str] = "Zhang et al. 2023, arXiv:2303.10512"

    def space(self, about: SpaceContext) -> Space:
        """Returns the ranges of the learning rate and of the mean rank at the end."""
        return {**super().space(about), "rank": Choice((2, 4, 8))}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns a mean rank of 4."""
        return {**super().defaults(about), "rank": 4}

    def size(self, width: int) -> float:
        """Returns the number of trained weights in a block at the beginning."""
        count, sides = self.matrices
        return (sides * width + count) * 12

    def config(self, job: Job, first: int) -> Any:
        """Returns peft's configuration; the schedule is set when the number of steps is known."""
        from peft import AdaLoraConfig

        rank = int(job.params["rank"])
        layers = self.layers(job, first)
        # One step stands for any number until `trained` knows it.
        return AdaLoraConfig(
            target_r=rank, init_r=round(1.5 * rank), lora_alpha=32, total_step=1, target_modules=layers
        )

    def penalized(self, loss: Loss | None, model: Model) -> Loss:
        """Returns a loss plus the mean distance of the singular vectors from an orthonormal basis."""
        return _orthogonal(loss)

    def after_step(self, model: Any, job: Job) -> AfterStep:
        """Returns the hook that takes ranks away after each step, by the library's schedule."""
        tuner = model.adapter.base_model
        config = tuner.peft_config["default"]

        def after_step(step: Step) -> None:
            # A tenth of the steps without cuts, then cuts for half of them, and the rest with the final ranks.
            config.total_step, config.tinit, config.tfinal = step.total, step.total // 10, step.total * 4 // 10
            config.deltaT = max(1, step.total // 100)
            tuner.update_and_allocate(step.number)

        return after_step

    def finish(self, model: Any) -> None:
        """Takes the schedule away, and merges the adapter if the option asks for it."""
        config = model.adapter.base_model.peft_config["default"]
        # Singular values that were taken away are zero. All are saved, so that shapes do not depend on them.
        config.rank_pattern, config.total_step, config.tinit, config.tfinal, config.deltaT = None, 1, 0, 0, 1
        super().finish(model)


def _orthogonal(loss: Loss | None) -> Loss:
    """Returns a loss, None for the task's, plus the mean distance of the singular vectors from an orthonormal basis."""
    import torch

    def penalized(step: Step) -> Tensor:
        distances = []
        for name, weight in step.model.encoder.named_parameters():
            if ".lora_A." in name or ".lora_B." in name:
                product = weight @ weight.T if ".lora_A." in name else weight.T @ weight
                distances.append(torch.linalg.matrix_norm(product - torch.eye(len(product), device=weight.device)))
        value = step.task_loss() if loss is None else loss(step)
        return value + ORTHOGONAL * torch.stack(distances).mean()

    return penalized


@dataclass(frozen=True)
class Vera(LayerAdapters):
    """VeRA: LoRA whose matrices are random, frozen and shared by all layers; vectors that scale them are trained."""

    name: ClassVar[str] = "vera"
    paper: ClassVar[str] = "Kopiczko et al. 2024, arXiv:2310.11454"
    rates: ClassVar[tuple[float, float, float]] = (1e-3, 3e-2, 1e-2)
    rank: int = 256
    """The rank of the random matrices."""

    def size(self, width: int) -> float:
        """Returns the number of trained weights in a block: one for each rank and one for each output."""
        count, sides = self.matrices
        return count * self.rank + sides * width / 2

    def config(self, job: Job, first: int) -> Any:
        """Returns peft's configuration."""
        from peft import VeraConfig

        return VeraConfig(r=self.rank, target_modules=self.layers(job, first))
