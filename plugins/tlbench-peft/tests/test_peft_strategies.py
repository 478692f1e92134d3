"""What each strategy trains, and what stays frozen, compared with peft's own numbers; merging and saving."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tlbench_peft.low_rank import AdaLora, Dora, Lora, Vera
from tlbench_peft.multiplicative import Ia3, Oft
from tlbench_peft.plugin import tlbench_strategies
from tlbench_peft.prompts import PrefixTuning, PromptTuning

from tlbench import Backbone, Job, Protocol, Strategy, Task
from tlbench.modeling.activations.encoding import WITNESS_ROWS, encoding_batches
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyTask

FAMILIES = ("bert", "roberta", "vit", "t5", "llama")
PROTOCOL = Protocol(max_steps=4, precision="fp32")
LAYERS = [Lora(), Dora(), AdaLora(), Vera(rank=8), Ia3(), Oft()]
OVER_PEFT = [*LAYERS, PromptTuning(tokens=4), PrefixTuning(tokens=4)]
ALL = [*OVER_PEFT, *(one for one in tlbench_strategies() if one.name in ("bitfit", "bottleneck-adapter"))]
QUERY_VALUE = {
    "bert": ["query", "value"],
    "roberta": ["query", "value"],
    "vit": ["q_proj", "v_proj"],
    "t5": ["q", "v"],
    "llama": ["q_proj", "v_proj"],
}
NOT_APPLICABLE = {
    ("prompt-tuning", "vit"): "the backbone reads none",
    ("prefix-tuning", "vit"): "the backbone reads none",
    ("prefix-tuning", "t5"): "t5 does not read them",
    ("bitfit", "t5"): "the layers of t5 have none",
    ("bitfit", "llama"): "the layers of llama have none",
}


def job_of(strategy: Strategy, backbone: Backbone, task: Task | None = None, **params: Any) -> Job:
    """Returns a job with an encoder of its own and the default params, except for those given."""
    from tlbench.planning.space_context import space_about

    task = task or ToyTask()
    defaults = dict(strategy.defaults(space_about(task, PROTOCOL, backbone)))
    return make_job(strategy, backbone, task, {**defaults, **params}, PROTOCOL)


def by_peft(strategy: Strategy, family: str, job: Job) -> Any:
    """Returns the configuration that a user of peft would write."""
    import peft

    targets, params = QUERY_VALUE[family], job.params
    if strategy.name in ("lora", "dora"):
        return peft.LoraConfig(r=params["rank"], use_dora=strategy.name == "dora", target_modules=targets)
    if strategy.name == "adalora":
        return peft.AdaLoraConfig(init_r=6, target_r=4, total_step=9, target_modules=targets)
    if strategy.name == "vera":
        return peft.VeraConfig(r=8, target_modules=targets)
    if strategy.name == "oft":
        return peft.OFTConfig(oft_block_size=params["block_size"], target_modules=targets)
    if strategy.name == "ia3":
        # peft knows the layers of all these families but ViT's.
        own = {"target_modules": ["k_proj", "v_proj", "fc2"], "feedforward_modules": ["fc2"]}
        return peft.IA3Config(**own if family == "vit" else {})
    kind = peft.PromptTuningConfig if strategy.name == "prompt-tuning" else peft.PrefixTuningConfig
    return kind(task_type="FEATURE_EXTRACTION", num_virtual_tokens=4)


def plain(backbone: Any, family: str) -> Any:
    """Returns the model in a backbone's folder, loaded by transformers alone."""
    import transformers

    auto = transformers.AutoModelForTextEncoding if family == "t5" else transformers.AutoModel
    return auto.from_pretrained(backbone.source, dtype=torch.float32).eval()


def trained_in(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("strategy", OVER_PEFT, ids=lambda one: one.name)
def test_as_many_weights_are_trained_as_peft_counts(
    strategy: Any, family: str, tiny: dict[str, Backbone], pictures: Task
) -> None:
    backbone = tiny[family]
    task = pictures if family == "vit" else ToyTask()
    reason = strategy.supports(backbone, task)
    if expected := NOT_APPLICABLE.get((strategy.name, family)):
        assert expected in reason
        return
    assert reason is None
    from peft import get_peft_model

    job = job_of(strategy, backbone, task)
    model = strategy.model(job)
    reference = get_peft_model(plain(backbone, family), by_peft(strategy, family, job))
    assert trained_in(job.encoder) == reference.get_nb_trainable_parameters()[0]
    assert trained_in(job.encoder) == model.adapter.get_nb_trainable_parameters()[0]


@pytest.mark.parametrize("strategy", ALL[-2:], ids=lambda one: one.name)
@pytest.mark.parametrize("family", FAMILIES)
def test_biases_and_bottlenecks_are_counted_by_hand(
    strategy: Any, family: str, tiny: dict[str, Backbone], pictures: Task
) -> None:
    backbone: Any = tiny[family]
    task = pictures if family == "vit" else ToyTask()
    reason = strategy.supports(backbone, task)
    if expected := NOT_APPLICABLE.get((strategy.name, family)):
        assert expected in reason
        return
    assert reason is None
    job = job_of(strategy, backbone, task)
    biases = sum(weight.numel() for name, weight in job.encoder.native.named_parameters() if name.endswith("bias"))
    strategy.model(job)
    # Three blocks with two adapters each, of 16 numbers through 64.
    expected = biases if strategy.name == "bitfit" else 3 * 2 * (16 * 64 + 64 + 64 * 16 + 16)
    assert trained_in(job.encoder) == expected


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("strategy", ALL, ids=lambda one: one.name)
def test_frozen_weights_keep_every_bit_and_the_others_move(strategy: Any, tiny: dict[str, Backbone]) -> None:
    job = job_of(strategy, tiny["bert"], lr=1e-2)
    before = [(weight, weight.detach().clone()) for weight in job.encoder.native.parameters()]
    start = {name: weight.clone() for name, weight in strategy.model(job_of(strategy, tiny["bert"])).named_parameters()}
    predictor = strategy.fit(job)
    kept = [torch.equal(weight, copy) for weight, copy in before if not weight.requires_grad]
    assert len(kept) > 20
    assert all(kept)
    trained = {name: weight for name, weight in predictor.model.named_parameters() if weight.requires_grad}
    moved = [name for name, weight in trained.items() if not torch.equal(weight, start[name])]
    # AdaLoRA's count of ranks and the like are no weights; all that are trained move within 4 steps.
    assert sorted(moved) == sorted(trained)
    assert any(name.startswith("encoder.") for name in moved)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("strategy", LAYERS, ids=lambda one: one.name)
def test_a_merged_adapter_predicts_the_same(strategy: Any, tiny: dict[str, Backbone], tmp_path: Path) -> None:
    from peft.tuners.tuners_utils import BaseTunerLayer

    apart = strategy.fit(job_of(strategy, tiny["bert"], lr=3e-2))
    merging = dataclasses.replace(strategy, merge=True)
    merged = merging.fit(job_of(merging, tiny["bert"], lr=3e-2))
    data = job_of(strategy, tiny["bert"]).validation
    layers = [module for module in merged.model.modules() if isinstance(module, BaseTunerLayer)]
    assert layers
    assert all(layer.merged for layer in layers)
    expected = apart.predict(data).scores
    fresh = strategy.model(job_of(strategy, tiny["bert"]))
    untrained = type(apart)(fresh).predict(data).scores
    assert np.abs(untrained - expected).max() > 1e-3
    # The bound: products of fp32 of 16 numbers, added up in another order, are some 1e-7 apart.
    assert np.abs(merged.predict(data).scores - expected).max() < 1e-5
    merged.save(tmp_path)
    loaded = merging.load(job_of(merging, tiny["bert"], lr=3e-2), tmp_path)
    assert np.array_equal(loaded.predict(data).scores, merged.predict(data).scores)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("strategy", "family"),
    [*((one, "bert") for one in OVER_PEFT), *((one, "llama") for one in (OVER_PEFT[0], OVER_PEFT[-1]))],
    ids=lambda one: getattr(one, "name", one),
)
def test_peft_loads_what_was_saved(strategy: Any, family: str, tiny: dict[str, Backbone], tmp_path: Path) -> None:
    from peft import PeftModel

    job = job_of(strategy, tiny[family], lr=3e-2)
    predictor = strategy.fit(job)
    predictor.save(tmp_path)
    assert (tmp_path / "adapter_config.json").is_file()
    assert (tmp_path / "adapter_model.safetensors").is_file()
    loaded = PeftModel.from_pretrained(plain(tiny[family], family), str(tmp_path)).eval()
    batch = job.validation.batch(range(4))
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        expected = predictor.model.encoder(batch).x
        found = loaded(**inputs).last_hidden_state[:, -expected.shape[1] :]
    assert torch.allclose(found, expected, atol=1e-6)


def test_only_the_top_stages_are_adapted_and_the_cache_serves_the_rest(tiny: dict[str, Backbone]) -> None:
    strategy = Lora(stages=1)
    job = job_of(strategy, tiny["bert"])
    calls: list[int] = []

    def count(module: Any, args: Any, output: Any) -> None:
        # A stored entry is verified by encoding two rows again.
        if len(args[0]) > WITNESS_ROWS:
            calls.append(len(args[0]))

    job.encoder.native.encoder.layer[0].register_forward_hook(count)
    with job.activations.metering() as usage:
        predictor: Any = strategy.fit(job)
    assert {name.split(".")[2] for name, weight in job.encoder.native.named_parameters() if weight.requires_grad} == {
        "2"
    }
    # The training rows were passed through the lower stages once, however many steps were taken.
    assert [key.stop for key in usage.read] == [3]
    once = len(encoding_batches(job.encoder, job.train))
    assert len(calls) == once < PROTOCOL.max_steps
    cached = predictor.predict(job.train).scores
    assert len(calls) == once
    predictor.activations = None
    assert np.allclose(predictor.predict(job.train).scores, cached, atol=1e-6)
    assert len(calls) == 2 * once


def test_a_decoder_in_bf16_has_adapters_in_fp32(tiny: dict[str, Backbone]) -> None:
    strategy = Lora()
    protocol = Protocol(max_steps=4, precision="bf16-weights")
    job = make_job(strategy, tiny["llama"], ToyTask(), {"lr": 1e-3, "rank": 8, "alpha": 16}, protocol)
    matrices = {weight.dtype for weight in job.encoder.native.parameters() if weight.ndim > 1}
    predictor: Any = strategy.fit(job)
    assert matrices == {torch.bfloat16}
    trained = [weight for weight in predictor.model.parameters() if weight.requires_grad]
    assert {weight.dtype for weight in trained} == {torch.float32}
    assert {
        weight.dtype for weight in job.encoder.native.parameters() if weight.ndim > 1 and not weight.requires_grad
    } == {torch.bfloat16}
    assert np.isfinite(predictor.predict(job.validation).scores).all()


def test_adalora_ends_with_the_rank_on_average_and_less_correlated_vectors(tiny: dict[str, Backbone]) -> None:
    strategy = AdaLora()
    protocol = Protocol(max_steps=20, precision="fp32")
    job = make_job(strategy, tiny["bert"], ToyTask(), {"lr": 1e-2, "rank": 2}, protocol)
    predictor: Any = strategy.fit(job)
    values = [weight for name, weight in predictor.model.named_parameters() if "lora_E" in name]
    assert len(values) == 6
    assert sum(value.numel() for value in values) == 3 * 6
    assert sum(int((value != 0).sum()) for value in values) == 2 * 6


def test_lora_trains_under_3_percent_of_minilm() -> None:
    from tlbench_hf.plugin import tlbench_backbones

    minilm = next(one for one in tlbench_backbones() if one.name == "minilm-l6")
    if minilm.missing():
        pytest.skip("minilm-l6 is not on this machine")
    strategy = Lora()
    job = make_job(strategy, minilm, ToyTask(), {"lr": 1e-3, "rank": 16, "alpha": 16}, PROTOCOL)
    predictor: Any = strategy.fit(job)
    encoder = predictor.model.encoder
    assert trained_in(encoder) == strategy.trainable(minilm).parameters == 6 * 2 * 2 * 384 * 16
    assert predictor.trainable_parameters < 0.03 * sum(weight.numel() for weight in encoder.parameters())
