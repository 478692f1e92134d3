"""Words and spans: equal to transformers' own classes in a plain loop.

Weights, order of the batches and hyperparameters are the same, dropout is 0. Logits on the validation split agree in
fp64 before training and after it, and in fp32 are as near to them as transformers' own; answers and metric are the
same.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tlbench import Example, Job, Protocol, Task
from tlbench.modeling.data import Data
from tlbench.testing.agreement import assert_rounded_alike, assert_same_in_fp64
from tlbench.testing.jobs import make_job
from tlbench.testing.toy_kinds import ToySpanTask, ToyWordsTask
from tlbench.training import Model

pytest.importorskip("tlbench_finetune", reason="tlbench-finetune is not installed")
pytest.importorskip("tlbench_hf", reason="tlbench-hf is not installed")
transformers = pytest.importorskip("transformers")

from tlbench_finetune.finetuning.whole import FullFinetune  # noqa: E402
from tlbench_hf.plugin import tlbench_resolve  # noqa: E402

pytestmark = pytest.mark.equivalence

LR, SIZE, STEPS = 5e-3, 8, 24
IGNORED = -100


def _job(strategy: Any, folder: Path, task: Task) -> Job:
    backbone = tlbench_resolve("backbone", f"hf:{folder}")
    job = make_job(strategy, backbone, task, {"lr": LR}, Protocol(max_steps=STEPS, precision="fp32"))
    job.head.dropout.p = 0.0  # type: ignore[union-attr]
    return job


def _logits(model: Model, data: Data) -> Tensor:
    with torch.no_grad():
        return model.eval()(data.batch(range(len(data))))


def _in_fp64(job: Job, plain: nn.Module) -> None:
    for module in (job.encoder, job.head, plain):
        module.double()  # type: ignore[union-attr]


def _tags(tokenizer: Any, examples: list[Example]) -> tuple[dict[str, Tensor], Tensor]:
    """Returns a batch, and each word's class at its first sub-word, as in transformers' run_ner.py."""
    batch = tokenizer(
        [list(example.inputs[0]) for example in examples], is_split_into_words=True, padding=True, return_tensors="pt"
    )
    labels = torch.full(batch["input_ids"].shape, IGNORED)
    for row, example in enumerate(examples):
        before = None
        for position, word in enumerate(batch.word_ids(row)):
            if word is not None and word != before:
                labels[row, position] = example.target[word]
            before = word
    return dict(batch), labels


def test_words(tiny_bert: Path, order: Callable[..., Any], train_plainly: Callable[..., None]) -> None:
    from seqeval.metrics import f1_score

    strategy = FullFinetune(train_batch_size=SIZE)
    job = _job(strategy, tiny_bert, ToyWordsTask())
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert, local_files_only=True)
    plain = transformers.BertForTokenClassification.from_pretrained(tiny_bert, num_labels=4, dtype=torch.float32).eval()
    plain.classifier.load_state_dict(job.head.linear.state_dict())  # type: ignore[union-attr]
    train, validation = list(job.train.examples), list(job.validation.examples)
    asked, labels = _tags(tokenizer, validation)
    there = asked["attention_mask"].bool()

    def logits() -> Tensor:
        with torch.no_grad():
            return plain(**asked).logits[there]

    mine, rounded = _logits(Model(job.encoder, job.head), job.validation)[there], logits()
    _in_fp64(job, plain)
    assert_rounded_alike(mine, rounded, logits())
    assert_same_in_fp64(_logits(Model(job.encoder, job.head), job.validation)[there], logits())

    def loss_of(rows: list[int]) -> Tensor:
        batch, wanted = _tags(tokenizer, [train[i] for i in rows])
        return plain(**batch, labels=wanted).loss

    predictor = strategy.fit(job)
    lengths = [len(tokenizer(list(e.inputs[0]), is_split_into_words=True)["input_ids"]) for e in train]
    train_plainly(plain, order(lengths, SIZE, STEPS), loss_of, LR)
    with torch.no_grad():
        after = plain(**asked).logits
    assert_same_in_fp64(_logits(predictor.model, job.validation)[there], after[there])

    names = ToyWordsTask.output.names
    said = [[names[int(c)] for c in row[at]] for row, at in zip(after.argmax(-1), labels != IGNORED, strict=True)]
    wanted = [[names[c] for c in example.target] for example in validation]
    answers = predictor.predict(job.validation).values
    assert [[names[c] for c in answer] for answer in answers] == said
    score = f1_score(wanted, said)
    assert score > 0.2, "hardly anything was learnt: equality would say nothing"
    assert job.score(predictor) == pytest.approx(score, abs=1e-9)


def _questions(tokenizer: Any, examples: list[Example]) -> Any:
    return tokenizer(
        [example.inputs[0] for example in examples],
        [example.inputs[1] for example in examples],
        padding=True,
        return_offsets_mapping=True,
        return_tensors="pt",
    )


def _positions(batch: Any, examples: list[Example]) -> Tensor:
    """Returns (B, 2): the tokens in which the first accepted answer begins and ends."""
    found = []
    for row, example in enumerate(examples):
        answer = example.target[0]
        inside = [i for i, part in enumerate(batch.sequence_ids(row)) if part == 1]
        starts = [i for i in inside if batch["offset_mapping"][row, i, 0] == answer.start]
        ends = [i for i in inside if batch["offset_mapping"][row, i, 1] == answer.start + len(answer.text)]
        found.append((starts[0], ends[0]))
    return torch.tensor(found)


def _best(batch: Any, logits: Tensor, examples: list[Example]) -> list[str]:
    """Returns the stretch of the context whose start and end have the highest sum, found by trying all."""
    texts = []
    for row, example in enumerate(examples):
        inside = [i for i, part in enumerate(batch.sequence_ids(row)) if part == 1]
        pairs = [(i, j) for i in inside for j in inside if i <= j < i + 30]
        first, last = max(pairs, key=lambda pair: float(logits[row, pair[0], 0] + logits[row, pair[1], 1]))
        texts.append(example.inputs[1][batch["offset_mapping"][row, first, 0] : batch["offset_mapping"][row, last, 1]])
    return texts


def _answer_f1(answer: str, wanted: str) -> float:
    """Returns what SQuAD's official script gives for one question."""

    def words(text: str) -> list[str]:
        text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    ours, theirs = words(answer), words(wanted)
    same = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * same / (len(ours) + len(theirs)) if same else 0.0


def test_spans(tiny_bert: Path, order: Callable[..., Any], train_plainly: Callable[..., None]) -> None:
    """Padding is kept out of the softmax here as there: a script that pads every row to one length lets it in.

    What is compared after training are log-probabilities. No loss depends on the biases of start and end: their
    gradients are rounding errors of 1e-17, of which Adam, that divides by 1e-8 at least, makes 1e-10 in 24 steps.
    """
    strategy = FullFinetune(train_batch_size=SIZE)
    job = _job(strategy, tiny_bert, ToySpanTask())
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_bert, local_files_only=True)
    plain = transformers.BertForQuestionAnswering.from_pretrained(tiny_bert, dtype=torch.float32).eval()
    plain.qa_outputs.load_state_dict(job.head.linear.state_dict())  # type: ignore[union-attr]
    train, validation = list(job.train.examples), list(job.validation.examples)

    def logits_of(batch: Any) -> Tensor:
        inputs = {name: value for name, value in batch.items() if name != "offset_mapping"}
        output = plain(**inputs)
        logits = torch.stack([output.start_logits, output.end_logits], dim=-1)
        return logits.masked_fill(batch["attention_mask"][..., None] == 0, -1e4)

    asked = _questions(tokenizer, validation)
    there = asked["attention_mask"].bool()

    with torch.no_grad():
        mine, rounded = _logits(Model(job.encoder, job.head), job.validation)[there], logits_of(asked)[there]
        _in_fp64(job, plain)
        before = logits_of(asked)[there]
    assert_rounded_alike(mine, rounded, before)
    assert_same_in_fp64(_logits(Model(job.encoder, job.head), job.validation)[there], before)

    def loss_of(rows: list[int]) -> Tensor:
        examples = [train[i] for i in rows]
        batch = _questions(tokenizer, examples)
        logits, wanted = logits_of(batch), _positions(batch, examples)
        parts = [nn.functional.cross_entropy(logits[..., i], wanted[:, i]) for i in range(2)]
        return (parts[0] + parts[1]) / 2

    predictor = strategy.fit(job)
    lengths = [len(tokenizer(*example.inputs)["input_ids"]) for example in train]
    train_plainly(plain, order(lengths, SIZE, STEPS), loss_of, LR)
    with torch.no_grad():
        after = logits_of(asked)
    said, wanted = (logits.log_softmax(1)[there] for logits in (_logits(predictor.model, job.validation), after))
    assert_same_in_fp64(said, wanted)

    texts = _best(asked, after, validation)
    assert predictor.predict(job.validation).values.tolist() == texts
    score = sum(_answer_f1(text, e.target[0].text) for text, e in zip(texts, validation, strict=True)) / len(texts)
    assert score > 0.1, "hardly anything was learnt: equality would say nothing"
    assert job.score(predictor) == pytest.approx(score, abs=1e-9)
