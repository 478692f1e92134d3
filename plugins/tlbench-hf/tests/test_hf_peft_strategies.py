"""LoRA, IA3, prompt and prefix tuning, written with the public API as a plugin would, pass the conformance checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import pytest
from tlbench_hf.plugin import tlbench_resolve

from tlbench import Backbone, Float, Job, Predictor, Protocol, Space, SpaceContext, Strategy, Trainable, Value
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyTask

pytestmark = pytest.mark.skipif(find_spec("peft") is None, reason="peft is not installed")


@dataclass(frozen=True)
class Adapted(Strategy):
    """Trains what peft adds to a frozen encoder, and a new head."""

    def settings(self, encoder: Any) -> Any:
        """Returns peft's configuration."""
        raise NotImplementedError

    def space(self, about: SpaceContext) -> Space:
        return {"lr": Float(1e-4, 1e-2, log=True)}

    def defaults(self, about: SpaceContext) -> Mapping[str, Value]:
        return {"lr": 3e-3}

    def trainable(self, backbone: Backbone) -> Trainable:
        return Trainable(parameters=100_000)

    def model(self, job: Job) -> Any:
        from tlbench.training import Model

        encoder = job.encoder
        encoder.native.requires_grad_(False)
        self.adapt(encoder)
        return Model(encoder, job.head)

    def adapt(self, encoder: Any) -> None:
        from peft import inject_adapter_in_model

        inject_adapter_in_model(self.settings(encoder), encoder.native)

    def fit(self, job: Job) -> Predictor:
        from tlbench.training import train

        return train(self.model(job), job.train, job)

    def load(self, job: Job, folder: Any) -> Predictor:
        from tlbench.training import ModelPredictor

        return ModelPredictor.load(self.model(job), job, folder)


@dataclass(frozen=True)
class Lora(Adapted):
    """LoRA on every linear layer (Hu et al. 2021, arXiv:2106.09685)."""

    name: ClassVar[str] = "lora"
    rank: int = 4

    def settings(self, encoder: Any) -> Any:
        from peft import LoraConfig

        return LoraConfig(r=self.rank, target_modules=_linear(encoder.native))


@dataclass(frozen=True)
class Ia3(Adapted):
    """IA3 (Liu et al. 2022, arXiv:2205.05638): a factor for each output of every linear layer."""

    name: ClassVar[str] = "ia3"

    def settings(self, encoder: Any) -> Any:
        from peft import IA3Config

        return IA3Config(target_modules=_linear(encoder.native), feedforward_modules=[])


@dataclass(frozen=True)
class Wrapped(Adapted):
    """What peft makes a module of its own around the model for."""

    tokens: int = 4

    def adapt(self, encoder: Any) -> None:
        from peft import get_peft_model

        encoder.native = get_peft_model(encoder.native, self.settings(encoder))


@dataclass(frozen=True)
class Prompt(Wrapped):
    """Prompt tuning (Lester et al. 2021, arXiv:2104.08691)."""

    name: ClassVar[str] = "prompt-tuning"

    def settings(self, encoder: Any) -> Any:
        from peft import PromptTuningConfig

        return PromptTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=self.tokens)


@dataclass(frozen=True)
class Prefix(Wrapped):
    """Prefix tuning (Li & Liang 2021, arXiv:2101.00190)."""

    name: ClassVar[str] = "prefix-tuning"

    def settings(self, encoder: Any) -> Any:
        from peft import PrefixTuningConfig

        return PrefixTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=self.tokens)


def _linear(native: Any) -> list[str]:
    import torch

    modules = (name for name, module in native.named_modules() if isinstance(module, torch.nn.Linear))
    return sorted({name.rpartition(".")[2] for name in modules})


@pytest.fixture
def llama_folder(tmp_path, tokenizer_files):
    import torch
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=20,
        max_position_embeddings=40,
    )  # fmt: skip
    torch.manual_seed(3)
    folder = tmp_path / "tiny-llama"
    transformers.LlamaModel(config).save_pretrained(folder)
    tokenizer_files(folder)
    return folder


class OnBert(StrategyConformance):
    tasks = (ToyTask(unlabeled=16),)

    @pytest.fixture(autouse=True)
    def _backbone(self, bert_folder):
        type(self).backbone = tlbench_resolve("backbone", f"hf:{bert_folder}")


class OnLlama(StrategyConformance):
    tasks = (ToyTask(unlabeled=16),)

    @pytest.fixture(autouse=True)
    def _backbone(self, llama_folder):
        type(self).backbone = tlbench_resolve("backbone", f"hf:{llama_folder}")


class TestLora(OnBert):
    strategy = Lora()


class TestIa3(OnBert):
    strategy = Ia3()


class TestPrompt(OnBert):
    strategy = Prompt()


class TestPromptOfADecoder(OnLlama):
    strategy = Prompt()


class TestPrefix(OnLlama):
    strategy = Prefix()


@pytest.mark.parametrize(("strategy", "names"), [
    (Lora(), "lora_"), (Ia3(), "ia3_"), (Prompt(), "prompt_encoder"), (Prefix(), "prompt_encoder"),
])  # fmt: skip
def test_what_they_add_is_trained_and_nothing_else_of_the_encoder(strategy, names, llama_folder):
    import torch

    backbone = tlbench_resolve("backbone", f"hf:{llama_folder}")
    job = make_job(strategy, backbone, ToyTask(), strategy.defaults(None), Protocol(max_steps=3, precision="fp32"))
    before = {name: value.clone() for name, value in job.encoder.native.state_dict().items()}
    predictor = strategy.fit(job)
    trained = {name for name, p in predictor.model.encoder.native.named_parameters() if p.requires_grad}
    assert trained
    assert all(names in name for name in trained)
    after = predictor.model.encoder.native.state_dict()
    moved = {name for name, value in after.items() if name in before and not torch.equal(value, before[name])}
    assert not moved, "a weight of the backbone moved"
