"""Which backbones and tasks the strategies are for: networks for images, decoders that write, and reasons to skip."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tlbench_hf.plugin import tlbench_resolve
from tlbench_peft.bitfit import BitFit
from tlbench_peft.bottleneck import BottleneckAdapter
from tlbench_peft.low_rank import AdaLora, Dora, Lora, Vera
from tlbench_peft.multiplicative import Ia3, Oft
from tlbench_peft.plugin import tlbench_strategies
from tlbench_peft.prompts import PrefixTuning, PromptTuning

from tlbench import (
    Backbone,
    Card,
    Classes,
    Example,
    Examples,
    PluginError,
    Protocol,
    SplitName,
    Strategy,
    Task,
    Text,
    UsageError,
)
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyBackbone, ToyTask

PROTOCOL = Protocol(max_steps=4, precision="fp32")
PICTURES: Any = SimpleNamespace(modality="image", output=Classes(("dark", "bright")))
"""What a plan reads of a task of images."""


@dataclasses.dataclass(frozen=True)
class Answers(Task):
    """Texts to continue."""

    name = "answers"
    modality = "text"
    metrics = ("rougeL",)
    output = Text(4)

    def split(self, name: SplitName) -> Examples | None:
        return Examples(Example(f"{name}-{i}", ("the cat sat on",), ("the mat",)) for i in range(4))


@dataclasses.dataclass(frozen=True)
class Known(Backbone):
    """A backbone of which only the card is known."""

    name: str = "known"
    modality: str = "text"  # type: ignore[assignment]
    facts: Card = dataclasses.field(default_factory=Card)

    def card(self) -> Card:
        return self.facts


def of(family: str, modality: str = "text", **facts: Any) -> Backbone:
    return Known(modality=modality, facts=Card(family=family, stages=facts.pop("stages", 4), width=16, **facts))


def fractal(name: str) -> Backbone:
    plugin = pytest.importorskip("tlbench_timm.plugin")
    return next(one for one in plugin.tlbench_backbones() if one.name == f"fractal-{name}")


PARAMS = {"lr": 1e-2, "rank": 4, "alpha": 8, "block_size": 8, "size": 8}


def params_of(strategy: Strategy, backbone: Backbone, task: Task) -> dict[str, Any]:
    from tlbench.planning.space_context import space_about

    return {name: PARAMS[name] for name in strategy.space(space_about(task, PROTOCOL, backbone))}


@pytest.mark.parametrize(("strategy", "kind"), [
    (Lora(), "vit"), (Dora(targets="all"), "vit"), (AdaLora(targets="all"), "vit"), (Vera(rank=8), "vit"),
    (Ia3(), "vit"), (Oft(targets="qkv+proj"), "vit"), (BitFit(), "vit"), (BottleneckAdapter(), "vit"),
    (Lora(targets="all", stages=2), "resnet"), (Dora(targets="all"), "resnet"), (Ia3(targets="all"), "resnet"),
    (BitFit(stages=1), "resnet"),
], ids=lambda one: getattr(one, "name", one))  # fmt: skip
def test_networks_for_images_are_adapted(strategy: Any, kind: str, pictures: Task) -> None:
    backbone = fractal(kind)
    assert strategy.supports(backbone, pictures) is None
    job = make_job(strategy, backbone, pictures, params_of(strategy, backbone, pictures), PROTOCOL)
    predictor = strategy.fit(job)
    trained = [name for name, weight in job.encoder.named_parameters() if weight.requires_grad]
    assert trained
    if strategy.stages is not None:
        lower = {name for stage in job.encoder.stages[: -strategy.stages] for name in stage.parameters}
        assert not lower & {name.removeprefix("native.") for name in trained}
    assert np.isfinite(predictor.predict(job.validation).scores).all()


def test_a_decoder_that_writes_keeps_its_output_layer(tmp_path: Any, causal: Any) -> None:
    backbone, strategy = causal, Lora()
    assert strategy.supports(backbone, Answers()) is None
    job = make_job(strategy, backbone, Answers(), params_of(strategy, backbone, Answers()), PROTOCOL)
    before = [weight.clone() for weight in job.head.parameters()]
    predictor: Any = strategy.fit(job)
    assert before
    assert all(torch.equal(weight, copy) for weight, copy in zip(job.head.parameters(), before, strict=True))
    assert all("lora_" in name for name, weight in predictor.model.named_parameters() if weight.requires_grad)
    written = predictor.predict(job.validation)
    predictor.save(tmp_path / "saved")
    again = make_job(strategy, backbone, Answers(), job.params, PROTOCOL, seed=1)
    assert list(strategy.load(again, tmp_path / "saved").predict(job.validation).values) == list(written.values)


@pytest.fixture
def causal(tmp_path: Any, text_sizes: dict[str, int], write_tokenizer: Any) -> Backbone:
    """A tiny Llama with an output layer of its own."""
    import transformers

    config = transformers.LlamaConfig(**text_sizes, tie_word_embeddings=False, pad_token_id=0, eos_token_id=3)
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path / "causal")
    write_tokenizer(tmp_path / "causal")
    backbone = tlbench_resolve("backbone", f"hf:{tmp_path / 'causal'}")
    assert backbone is not None
    return backbone


@pytest.mark.parametrize(("strategy", "backbone", "task", "reason"), [
    (Lora(stages=0), of("bert"), ToyTask(), "stages must be at least 1"),
    (Lora(stages=5), of("bert"), ToyTask(), "the backbone has 4 above"),
    (Lora(), of("words", stages=0), ToyTask(), "the backbone has none"),
    (Lora(), of("t5"), Answers(), "a decoder of t5 writes the answers"),
    (Lora(), of("resnet", "image"), PICTURES, "choose targets=all"),
    (Lora(), of("convnext", "image"), PICTURES, "choose targets=all"),
    (Vera(targets="all"), of("resnet", "image"), PICTURES, "is a convolutional network"),
    (BottleneckAdapter(), of("resnet", "image"), PICTURES, "is a convolutional network"),
    (BitFit(), of("llama"), ToyTask(), "the layers of llama have none"),
    (PromptTuning(), of("vit", "image"), PICTURES, "the backbone reads none"),
    (PromptTuning(stages=1), of("bert"), ToyTask(), "leave stages out"),
    (PromptTuning(), of("llama"), Answers(), "is not available for generated texts"),
    (PromptTuning(), of("bert", positions=500, most_positions=512), ToyTask(), "the backbone has 12 positions beyond"),
    (PrefixTuning(), of("deberta-v2"), ToyTask(), "deberta-v2 does not read them"),
])  # fmt: skip
def test_what_does_not_apply_is_skipped_with_a_reason(
    strategy: Strategy, backbone: Backbone, task: Task, reason: str
) -> None:
    assert reason in (strategy.supports(backbone, task) or "")


@pytest.mark.parametrize("strategy", tlbench_strategies(), ids=lambda one: one.name)
def test_every_strategy_is_for_bert_and_its_memory_is_not_that_of_fine_tuning(strategy: Any) -> None:
    card = Card(family="bert", parameters=110_000_000, stages=12, width=768, positions=128, most_positions=512)
    backbone = Known(facts=card)
    assert strategy.supports(backbone, ToyTask()) is None
    trainable = strategy.trainable(backbone)
    assert trainable.stages == 12
    assert 0 < trainable.parameters < 0.1 * card.parameters
    one = dataclasses.replace(strategy, stages=1).trainable(backbone)
    assert one.stages == 1


@pytest.mark.parametrize(("strategy", "message"), [
    (lambda: Lora(targets="query+"), "give attention, all, or names joined by"),
    (lambda: PromptTuning(tokens=0), "at least 1 virtual token"),
    (lambda: Lora(warmup=2.0), "warmup is a fraction"),
])  # fmt: skip
def test_options_that_make_no_sense_are_refused(strategy: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        strategy()


@pytest.mark.parametrize(("strategy", "message"), [
    (Lora(targets="nothing"), "has no layer for targets=nothing: choose targets=all"),
    (PromptTuning(tokens=2), "has no embeddings of tokens"),
    (BottleneckAdapter(), "knows no attention or feed-forward layer"),
])  # fmt: skip
def test_an_encoder_without_such_layers_is_refused_by_one_line(strategy: Any, message: str) -> None:
    job = make_job(strategy, ToyBackbone(), ToyTask(), params_of(strategy, ToyBackbone(), ToyTask()), PROTOCOL)
    with pytest.raises(PluginError, match=message):
        strategy.fit(job)
