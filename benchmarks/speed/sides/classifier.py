"""Code that the peers share: tlbench's model and tokens, and batches with little padding."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from benchmarks.speed import corpora
from benchmarks.speed.sides.job import Job

Features = dict[str, Any]
"""One row: input_ids, token_type_ids, labels."""
EVAL_ROWS = 128
"""Rows in one batch without gradients; sorted by length, more did not go faster."""


@dataclass(frozen=True)
class Loaded:
    """The model and data of a peer, in memory before its work starts."""

    encoder: Any
    train: list[Features]
    validation: list[Features]
    test: list[Features]
    test_ids: list[str]

    @property
    def tokens(self) -> int:
        """How many tokens the training rows have."""
        return sum(len(row["input_ids"]) for row in self.train)


class Classifier(nn.Module):
    """A BERT-like encoder, the mean over its tokens, dropout, a linear layer: tlbench's own head."""

    def __init__(self, encoder: Any, classes: int, frozen: int = 0) -> None:
        """Freezes the embeddings and `frozen - 1` blocks above them; more than there are freezes the encoder."""
        super().__init__()
        self.encoder = encoder
        self.frozen = nn.ModuleList(stages(encoder)[:frozen])
        for parameter in self.frozen.parameters():
            parameter.requires_grad_(False)
        self.all_frozen = frozen >= len(stages(encoder))
        self.dropout = nn.Dropout(0.1)
        self.linear = nn.Linear(encoder.config.hidden_size, classes)
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def train(self, mode: bool = True) -> Classifier:
        """Puts the model into train mode, but for what is frozen: its dropout rests, as in tlbench."""
        super().train(mode)
        self.frozen.eval()
        return self

    def features(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Returns (B, D), the mean over tokens."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        with torch.no_grad() if self.all_frozen else nullcontext():
            x: Tensor = self.encoder(**inputs).last_hidden_state
            weights = attention_mask.unsqueeze(-1).to(x.dtype)
            return (x * weights).sum(1) / weights.sum(1).clamp(min=1)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Returns loss and logits."""
        logits = self.linear(self.dropout(self.features(input_ids, attention_mask, token_type_ids))).float()
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def stages(encoder: Any) -> list[nn.Module]:
    """Returns the embeddings and the blocks above them, in order."""
    return [encoder.embeddings, *encoder.encoder.layer]


def fresh(loaded: Loaded, classes: int, frozen: int = 0) -> Classifier:
    """Returns a new classifier on a copy of the pretrained weights, without a look at the disk."""
    return Classifier(copy.deepcopy(loaded.encoder), classes, frozen)


def prepare(job: Job) -> Loaded:
    """Returns the pretrained encoder and the tokenised rows; validation and test are sorted by length."""
    splits = corpora.load(job.corpus, job.data_root, job.train, job.held_out)
    tokenizer = transformers.AutoTokenizer.from_pretrained(job.folder, local_files_only=True, trust_remote_code=False)
    encoder = transformers.AutoModel.from_pretrained(
        job.folder, dtype=torch.float32, add_pooling_layer=False, local_files_only=True, trust_remote_code=False
    )
    parts = [tokenised(tokenizer, rows, job.max_length) for rows in (splits.train, splits.validation, splits.test)]
    return Loaded(encoder.eval(), parts[0], by_length(parts[1]), parts[2], [row.id for row in splits.test])


def tokenised(tokenizer: Any, rows: Sequence[corpora.Labelled], max_length: int) -> list[Features]:
    """Returns the tokens of each row with its label."""
    columns = [list(texts) for texts in zip(*(row.texts for row in rows), strict=True)]
    encoded = tokenizer(
        *columns, truncation="longest_first", max_length=max_length, return_attention_mask=False,
        return_token_type_ids=True,
    )  # fmt: skip
    return [
        {"input_ids": ids, "token_type_ids": types, "labels": row.label}
        for ids, types, row in zip(encoded["input_ids"], encoded["token_type_ids"], rows, strict=True)
    ]


def by_length(rows: Sequence[Features]) -> list[Features]:
    """Returns the rows, longest first."""
    return [rows[i] for i in longest_first(rows)]


def longest_first(rows: Sequence[Features]) -> list[int]:
    """Returns the positions of the rows, longest first."""
    return sorted(range(len(rows)), key=lambda i: -len(rows[i]["input_ids"]))


def collate(rows: Sequence[Features], length: int | None = None) -> dict[str, Tensor]:
    """Returns one batch, padded to its longest row or to a length."""
    width = length or max(len(row["input_ids"]) for row in rows)
    names = ("input_ids", "attention_mask", "token_type_ids")
    arrays = {name: np.zeros((len(rows), width), dtype=np.int64) for name in names}
    for i, row in enumerate(rows):
        count = len(row["input_ids"])
        arrays["input_ids"][i, :count] = row["input_ids"]
        arrays["attention_mask"][i, :count] = 1
        arrays["token_type_ids"][i, :count] = row["token_type_ids"]
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    batch["labels"] = torch.tensor([row["labels"] for row in rows])
    return batch


def autocast(job: Job) -> AbstractContextManager[object]:
    """Returns the region that computes in the job's precision."""
    if job.precision == "bf16-autocast":
        return torch.autocast(job.device, dtype=torch.bfloat16)
    return nullcontext()


def passes(model: Classifier, rows: Sequence[Features], job: Job, features: bool = False) -> np.ndarray:
    """Returns (N, K) logits, or (N, D) features, in the order of the rows; computed longest rows first."""
    model.eval()
    order = longest_first(rows)
    parts = []
    for first in range(0, len(order), EVAL_ROWS):
        batch = collate([rows[i] for i in order[first : first + EVAL_ROWS]])
        labels = batch.pop("labels")
        inputs = {name: value.to(job.device) for name, value in batch.items()}
        with torch.inference_mode(), autocast(job):
            part = model.features(**inputs) if features else model(**inputs)["logits"]
        assert len(part) == len(labels)
        parts.append(part.float().cpu().numpy())
    return np.concatenate(parts)[np.argsort(order)]


def labels_of(rows: Sequence[Features]) -> np.ndarray:
    """Returns (N,) the labels."""
    return np.array([row["labels"] for row in rows])


def digits(classes: np.ndarray) -> str:
    """Returns predicted classes as one digit each."""
    return "".join(str(int(one)) for one in classes)


def rehearse() -> None:
    """Keeps the library from printing, and takes one step of a tiny model: the libraries import much at first use."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    tiny = transformers.BertConfig(
        vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    model = Classifier(transformers.AutoModel.from_config(tiny), 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    batch = collate([{"input_ids": [1, 2], "token_type_ids": [0, 0], "labels": 0}])
    model(**batch)["loss"].backward()
    optimizer.step()
    schedule.step()
    transformers.AutoTokenizer  # noqa: B018 - an attribute that imports
