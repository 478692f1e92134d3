"""transformers' Trainer with its hyperparameter search over several backbones, within a time; imports no tlbench.

A trial chooses the backbone, the learning rate, the number of epochs and the batch size, with Optuna's TPE and median
pruner. Given to it beyond what its users usually do: texts tokenised once, evaluation rows sorted by length, batches
grouped by length, weights copied in memory, and the weights of the best epoch of all trials kept, so that the winner is
not trained again. The trial at hand ends when the time for the test predictions begins.
"""

from __future__ import annotations

import copy
import csv
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import optuna
import torch
import transformers
from torch.utils.data import SequentialSampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import BestRun

from benchmarks.speed.corpora import Labelled
from benchmarks.speed.sides.classifier import (
    Classifier,
    by_length,
    collate,
    labels_of,
    passes,
    rehearse,
    tokenised,
)
from benchmarks.speed.sides.trainer import Rows, accuracy_of

EVAL_ROWS = 128
RATES = (1e-5, 1e-3)
EPOCHS = (1, 6)
BATCHES = (16, 32)
RESERVE = 1.3
"""Factor on the estimated time of the test predictions, for which time is kept."""


@dataclass(frozen=True)
class SearchJob:
    """What is searched, as JSON."""

    rows: str
    """Folder of train.csv, validation.csv and test.csv, with the columns text and label."""
    folders: dict[str, str]
    """Backbone to its folder; all have one tokenizer."""
    layers: dict[str, int]
    """Backbone to how many of its blocks are kept."""
    ends_at: float
    """When the last test prediction has to be made, in seconds since the epoch."""
    seed: int
    max_length: int
    device: str = "cpu"
    precision: str = "fp32"


class Texts:
    """The tokenised rows of the three splits."""

    def __init__(self, job: SearchJob) -> None:
        found = {name: _read(Path(job.rows) / f"{name}.csv") for name in ("train", "validation", "test")}
        self.classes = sorted({label for _, label in found["train"]})
        number = {label: i for i, label in enumerate(self.classes)}
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            next(iter(job.folders.values())), local_files_only=True, trust_remote_code=False
        )
        self.train, self.validation, self.test = (
            tokenised(
                tokenizer,
                [Labelled(str(i), (text,), number.get(label, -1)) for i, (text, label) in enumerate(found[name])],
                job.max_length,
            )
            for name in ("train", "validation", "test")
        )
        self.validation = by_length(self.validation)


class BackboneSearch(Trainer):
    """A Trainer whose trials choose a backbone too, and which keeps the best weights."""

    def __init__(self, job: SearchJob, texts: Texts, folder: str) -> None:
        self.job, self.texts = job, texts
        self.encoders = {name: _encoder(job, name) for name in job.folders}
        self.chosen = next(iter(job.folders))
        self.best: tuple[float, str, dict[str, torch.Tensor]] = (-1.0, "", {})
        self.trials, self.test_seconds = 0, 0.0
        super().__init__(
            model_init=cast(Any, self.new_model),
            args=_arguments(job, folder),
            train_dataset=Rows(texts.train),
            eval_dataset=Rows(texts.validation),
            data_collator=collate,
            compute_metrics=accuracy_of,
        )
        self.remove_callback(PrinterCallback)
        self.add_callback(_Deadline(self))

    def new_model(self, trial: optuna.Trial | None = None) -> Classifier:
        """Returns a classifier on the trial's backbone."""
        if trial is not None:
            self.trials += 1
            self.chosen = trial.suggest_categorical("backbone", list(self.encoders))
        return Classifier(copy.deepcopy(self.encoders[self.chosen]), len(self.texts.classes))

    def settings(self, trial: optuna.Trial) -> dict[str, float]:
        """Returns the fields of the arguments that a trial sets."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", *RATES, log=True),
            "num_train_epochs": trial.suggest_int("num_train_epochs", *EPOCHS),
            "per_device_train_batch_size": trial.suggest_categorical("per_device_train_batch_size", list(BATCHES)),
        }

    @property
    def seconds_left(self) -> float:
        """Until the test predictions have to begin."""
        return self.job.ends_at - time.time() - RESERVE * self.test_seconds

    def search(self) -> BestRun | None:
        """Tries settings until the time is over."""
        try:
            best = self.hyperparameter_search(
                hp_space=self.settings, compute_objective=self.judged, n_trials=10**6, direction="maximize",
                backend="optuna", timeout=max(0.01, self.seconds_left), pruner=optuna.pruners.MedianPruner(),
                sampler=optuna.samplers.TPESampler(seed=self.job.seed), catch=(_TimeOver,),
            )  # fmt: skip
        except ValueError:
            # Optuna's words for a study in which no trial has ended.
            return None
        return best if isinstance(best, BestRun) else None

    def judged(self, metrics: dict[str, float]) -> float:
        """Returns the accuracy on validation."""
        return metrics["eval_accuracy"]

    def evaluate(self, *arguments: Any, **named: Any) -> dict[str, float]:
        """Evaluates on validation, and keeps the weights if they are the best so far."""
        began = time.monotonic()
        metrics = super().evaluate(*arguments, **named)
        seconds = time.monotonic() - began
        self.test_seconds = max(self.test_seconds, seconds * len(self.texts.test) / len(self.texts.validation))
        if metrics["eval_accuracy"] > self.best[0]:
            assert self.model is not None
            weights = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
            self.best = (metrics["eval_accuracy"], self.chosen, weights)
        return metrics

    def _get_eval_sampler(self, eval_dataset: Any) -> SequentialSampler:
        # With grouping by length the library would shuffle what is sorted already.
        return SequentialSampler(eval_dataset)


class _TimeOver(Exception):
    """The time for searching is over."""


class _Deadline(TrainerCallback):
    def __init__(self, search: BackboneSearch) -> None:
        self._search = search

    def on_step_end(self, *arguments: Any, **named: Any) -> None:
        if self._search.seconds_left <= 0 and self._search.best[1]:
            raise _TimeOver


def main() -> None:
    """Reads the job that the first argument names, searches, and writes the report that the second one names."""
    job = SearchJob(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    rehearse()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    texts = Texts(job)
    with tempfile.TemporaryDirectory() as folder:
        search = BackboneSearch(job, texts, folder)
        search.search()
    validation, backbone, weights = search.best
    if not backbone:
        raise SystemExit("no epoch ended within the time")
    search.chosen = backbone
    model = search.new_model()
    model.load_state_dict(weights)
    answers = passes(model, texts.test, cast(Any, job)).argmax(-1)
    report = {
        "backbone": backbone, "validation": validation, "trials": search.trials,
        "test": float((answers == labels_of(texts.test)).mean()), "test_rows": len(texts.test),
    }  # fmt: skip
    Path(sys.argv[2]).write_text(json.dumps(report), encoding="utf-8")


def _encoder(job: SearchJob, name: str) -> Any:
    encoder = transformers.AutoModel.from_pretrained(
        job.folders[name], dtype=torch.float32, add_pooling_layer=False, num_hidden_layers=job.layers[name],
        local_files_only=True, trust_remote_code=False,
    )  # fmt: skip
    return encoder.eval()


def _arguments(job: SearchJob, folder: str) -> TrainingArguments:
    return TrainingArguments(
        output_dir=folder,
        per_device_eval_batch_size=EVAL_ROWS,
        train_sampling_strategy="group_by_length",
        weight_decay=0.01,
        warmup_steps=0.1,
        optim="adamw_torch_fused",
        seed=job.seed,
        use_cpu=job.device == "cpu",
        eval_strategy="epoch",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )


def _read(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [(row["text"], row["label"]) for row in csv.DictReader(lines)]


if __name__ == "__main__":
    main()
