"""Texts that are written: equal to transformers' own classes in a plain loop.

Weights, order of the batches and hyperparameters are the same, dropout is 0. The loss on the validation split agrees
in fp64 before training and after it, and in fp32 is as near to it as transformers' own; texts written greedily and
metric are the same.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tlbench import Example, Examples, Job, Protocol, SplitName, Task, Text
from tlbench.testing.agreement import assert_rounded_alike, assert_same_in_fp64
from tlbench.testing.jobs import make_job
from tlbench.training import Model

pytest.importorskip("tlbench_finetune", reason="tlbench-finetune is not installed")
pytest.importorskip("tlbench_hf", reason="tlbench-hf is not installed")
transformers = pytest.importorskip("transformers")

from tlbench_finetune.finetuning.frozen_below import HeadOnly, PartialFinetune  # noqa: E402
from tlbench_finetune.finetuning.whole import FullFinetune  # noqa: E402
from tlbench_hf.plugin import tlbench_resolve  # noqa: E402

pytestmark = pytest.mark.equivalence

LR, SIZE, STEPS, LONGEST = 3e-3, 8, 16, 8
IGNORED = -100


@dataclass(frozen=True)
class Shout(Task):
    """Write the first syllable thrice."""

    name = "shout"
    modality = "text"
    output = Text(LONGEST)
    metrics = ("chrf",)

    def split(self, name: SplitName) -> Examples | None:
        """Returns 48 sources of train and 16 of any other split."""
        draw = random.Random(name)
        rows = []
        for i in range(48 if name == "train" else 16):
            syllables = [draw.choice("bdg") + draw.choice("aiu") for _ in range(2 + i % 3)]
            rows.append(Example(f"{name}-{i}", ("".join(syllables),), (3 * syllables[0],)))
        return Examples(rows)


def _job(strategy: Any, folder: Path) -> Job:
    backbone = tlbench_resolve("backbone", f"hf:{folder}")
    return make_job(strategy, backbone, Shout(), {"lr": LR}, Protocol(max_steps=STEPS, precision="fp32"))


@pytest.fixture(autouse=True)
def _norms_in_their_own_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """T5 squares its states in fp32 whatever they are in, which would make 6e-8 of a distance of 1e-16."""

    def forward(norm: Any, states: Tensor) -> Tensor:
        return norm.weight * states * torch.rsqrt(states.square().mean(-1, keepdim=True) + norm.variance_epsilon)

    monkeypatch.setattr(transformers.models.t5.modeling_t5.T5LayerNorm, "forward", forward)


def _loss(model: Model, job: Job) -> Tensor:
    """Returns the loss on the validation split, all of it in one batch."""
    data = job.validation
    with torch.no_grad():
        return model.head.loss(model.eval()(data.batch(range(len(data)))), model.head.targets(data))


def _assert_same_loss(job: Job, plain: nn.Module, loss: Callable[[], Tensor]) -> Tensor:
    """Puts both sides into fp64 and compares them before and after that; returns the plain one's loss."""
    with torch.no_grad():
        mine, rounded = _loss(Model(job.encoder, job.head), job), loss()
        for module in (job.encoder, job.head, plain):
            module.double()  # type: ignore[union-attr]
        before = loss()
    assert_rounded_alike(mine, rounded, before)
    assert_same_in_fp64(_loss(Model(job.encoder, job.head), job), before)
    return before


def _chrf(texts: list[str], examples: Examples) -> float:
    from sacrebleu.metrics import CHRF

    return CHRF().corpus_score(texts, [[example.target[0] for example in examples]]).score / 100


def _padded(rows: list[list[int]], filling: int, left: bool = False) -> Tensor:
    longest = max(len(row) for row in rows)
    filled = [[filling] * (longest - len(row)) for row in rows]
    return torch.tensor([(gap + row if left else row + gap) for row, gap in zip(rows, filled, strict=True)])


@pytest.mark.parametrize("kind", [FullFinetune, HeadOnly])
def test_an_encoder_decoder(
    kind: Any,
    bytes_only: Callable[..., Any],
    saved: Callable[..., Path],
    order: Callable[..., Any],
    train_plainly: Callable[..., None],
) -> None:
    tokenizer = bytes_only(True)
    config = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, dropout_rate=0.0,
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
    )  # fmt: skip
    torch.manual_seed(3)
    folder = saved(transformers.T5ForConditionalGeneration(config), tokenizer)
    strategy = kind(train_batch_size=SIZE)
    job = _job(strategy, folder)
    plain = transformers.T5ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    if kind is HeadOnly:
        plain.get_encoder().requires_grad_(False)  # the table of words too, which the decoder shares

    def batch(examples: list[Example]) -> dict[str, Tensor]:
        inputs = tokenizer([example.inputs[0] for example in examples], padding=True, return_tensors="pt")
        labels = [tokenizer(text_target=example.target[0])["input_ids"] for example in examples]
        kept = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        return {**kept, "labels": _padded(labels, IGNORED)}

    train, validation = list(job.train.examples), list(job.validation.examples)
    before = _assert_same_loss(job, plain, lambda: plain(**batch(validation)).loss)

    predictor = strategy.fit(job)
    lengths = [len(tokenizer(e.inputs[0])["input_ids"]) + len(tokenizer(e.target[0])["input_ids"]) for e in train]
    train_plainly(plain, order(lengths, SIZE, STEPS), lambda rows: plain(**batch([train[i] for i in rows])).loss, LR)
    with torch.no_grad():
        after = plain(**batch(validation)).loss
        asked = {name: value for name, value in batch(validation).items() if name != "labels"}
        written = plain.generate(**asked, max_new_tokens=LONGEST, do_sample=False)
    assert_same_in_fp64(_loss(predictor.model, job), after)
    assert after < before - 0.2, "hardly anything was learnt: equality would say nothing"
    texts = [text.strip() for text in tokenizer.batch_decode(written, skip_special_tokens=True)]
    assert predictor.predict(job.validation).values.tolist() == texts
    assert job.score(predictor) == pytest.approx(_chrf(texts, job.validation.examples), abs=1e-9)


@pytest.mark.parametrize("kind", [FullFinetune, PartialFinetune])
def test_a_decoder_alone(
    kind: Any,
    bytes_only: Callable[..., Any],
    saved: Callable[..., Path],
    order: Callable[..., Any],
    train_plainly: Callable[..., None],
) -> None:
    tokenizer = bytes_only(False)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4, n_positions=64, resid_pdrop=0.0, embd_pdrop=0.0,
        attn_pdrop=0.0, bos_token_id=1, eos_token_id=1,
    )  # fmt: skip
    torch.manual_seed(3)
    folder = saved(transformers.GPT2LMHeadModel(config), tokenizer)
    strategy = kind(train_batch_size=SIZE)
    job = _job(strategy, folder)
    plain = transformers.GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()
    if kind is PartialFinetune:
        for part in (plain.transformer.wte, plain.transformer.wpe):
            part.requires_grad_(False)

    def prompt(example: Example) -> list[int]:
        return tokenizer(f"{example.inputs[0]}\n=>")["input_ids"]

    def target(example: Example) -> list[int]:
        return [*tokenizer(example.target[0])["input_ids"], tokenizer.eos_token_id]

    def batch(examples: list[Example]) -> dict[str, Tensor]:
        rows = [prompt(example) + target(example) for example in examples]
        labels = [[IGNORED] * len(prompt(example)) + target(example) for example in examples]
        return {
            "input_ids": _padded(rows, 0),
            "attention_mask": _padded([[1] * len(row) for row in rows], 0),
            "labels": _padded(labels, IGNORED),
        }

    def loss_of(examples: list[Example]) -> Tensor:
        # as the library's own, which is in fp32 whatever the logits are
        rows = batch(examples)
        labels = rows.pop("labels")[:, 1:].flatten()
        return nn.functional.cross_entropy(plain(**rows).logits[:, :-1].flatten(0, 1), labels, ignore_index=IGNORED)

    train, validation = list(job.train.examples), list(job.validation.examples)
    before = _assert_same_loss(job, plain, lambda: loss_of(validation))

    predictor = strategy.fit(job)
    lengths = [len(prompt(example)) + len(target(example)) for example in train]
    train_plainly(plain, order(lengths, SIZE, STEPS), lambda rows: loss_of([train[i] for i in rows]), LR)
    with torch.no_grad():
        after = loss_of(validation)
        prompts = [prompt(example) for example in validation]
        written = plain.generate(
            input_ids=_padded(prompts, 0, left=True),
            attention_mask=_padded([[1] * len(row) for row in prompts], 0, left=True),
            max_new_tokens=LONGEST,
            do_sample=False,
            pad_token_id=0,
        )
    assert_same_in_fp64(_loss(predictor.model, job), after)
    assert after < before - 0.2, "hardly anything was learnt: equality would say nothing"
    longest = max(len(row) for row in prompts)
    texts = [text.strip() for text in tokenizer.batch_decode(written[:, longest:], skip_special_tokens=True)]
    assert predictor.predict(job.validation).values.tolist() == texts
    assert job.score(predictor) == pytest.approx(_chrf(texts, job.validation.examples), abs=1e-9)
