"""transformers' Trainer with its own hyperparameter search, as somebody would set it who knows it well.

Given to it beyond what its users usually do: data tokenised once, evaluation rows sorted by length, a plain function
as collator, fresh weights copied in memory for each trial, and the best trial's model kept, so that the winner need not
be trained again before it is tested. Untuned, it is what `run_glue` makes of its defaults: padding to the full length,
no grouping by length, fp32, batches of 8 in evaluation.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterable
from typing import Any, cast

import optuna
import torch
from accelerate import Accelerator  # noqa: F401 - imported here, so that no clock counts it
from torch import nn
from torch.utils.data import Dataset, SequentialSampler
from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.trainer_utils import BestRun

from benchmarks.speed.sides.classifier import (
    EVAL_ROWS,
    Classifier,
    Features,
    Loaded,
    collate,
    digits,
    fresh,
    labels_of,
    longest_first,
    prepare,
    rehearse,
    stages,
)
from benchmarks.speed.sides.job import CellReport, Job, Report, run
from benchmarks.speed.sides.logistic import embed, fitted, unfolded

HEAD_LR = {"low": 1e-3, "high": 1e-1, "log": True}
"""Of a head on frozen features, which tlbench solves for instead and so has no learning rate of."""
DEFAULT_HEAD_LR = 1e-2
ALL = 10**6


class Search(Trainer):
    """A Trainer for one strategy; knows how far to freeze, and what the trial at hand is to try."""

    def __init__(self, strategy: str, job: Job, loaded: Loaded, folder: str, embedded: list[Any]) -> None:
        self.strategy, self.job, self.loaded, self.embedded = strategy, job, loaded, embedded
        self.params: dict[str, float] = {}
        self.best: tuple[float, nn.Module | None] = (-1.0, None)
        self.scored = 0
        self.train_seconds = 0.0
        space = dict(job.spaces[strategy])
        defaults = dict(job.defaults[strategy])
        if strategy == "linear-probe":
            space, defaults = {"lr": HEAD_LR}, {"lr": DEFAULT_HEAD_LR}
        self.space, self.first = space, defaults
        super().__init__(
            model_init=cast(Any, self.new_model),
            args=arguments(job, folder),
            train_dataset=Rows(loaded.train),
            eval_dataset=Rows(loaded.validation),
            data_collator=lambda rows: collate(rows, None if job.tuned else job.max_length),
            compute_metrics=accuracy_of,
        )
        self.remove_callback(PrinterCallback)

    def new_model(self, trial: optuna.Trial | None = None) -> Classifier:
        """Returns a classifier with what the strategy freezes frozen, and the probe's head where it starts from one."""
        if trial is not None:
            self.suggest(trial)
        count = len(stages(self.loaded.encoder))
        frozen = {"linear-probe": ALL, "partial-finetune[stages=2]": count - 2}.get(self.strategy, 0)
        model = fresh(self.loaded, self.job.classes, frozen)
        if self.strategy == "lp-ft" and self.params:
            self._start_from_probe(model)
        return model

    def suggest(self, trial: optuna.Trial) -> dict[str, float]:
        """Returns the fields of the arguments that a trial sets."""
        self.params = {
            name: trial.suggest_float(name, domain["low"], domain["high"], log=domain["log"])
            for name, domain in self.space.items()
        }
        return {"learning_rate": self.params["lr"]}

    def search(self) -> None:
        """Tries the settings; the best one's model stays in memory."""
        storage = optuna.storages.InMemoryStorage()
        optuna.create_study(study_name="search", storage=storage, direction="maximize").enqueue_trial(self.first)
        best = self.hyperparameter_search(
            hp_space=self.suggest, compute_objective=self.judged, n_trials=self.job.trials, direction="maximize",
            backend="optuna", storage=storage, study_name="search", load_if_exists=True,
            sampler=optuna.samplers.TPESampler(seed=self.job.seeds[0]),
        )  # fmt: skip
        assert isinstance(best, BestRun)
        self.params = dict(best.hyperparameters)

    def judged(self, metrics: dict[str, float]) -> float:
        """Returns the accuracy on validation, and keeps the model if it is the best so far."""
        accuracy = metrics["eval_accuracy"]
        self.scored += 1
        if accuracy > self.best[0]:
            self.best = (accuracy, self.model)
        return accuracy

    def train(self, *arguments: Any, **named: Any) -> Any:
        """Trains once, and keeps count of the seconds."""
        began = time.monotonic()
        output = super().train(*arguments, **named)
        self.train_seconds += time.monotonic() - began
        return output

    def refit(self, seed: int) -> None:
        """Trains the winner's setting with another seed."""
        self.args.seed, self.args.learning_rate = seed, self.params["lr"]
        self.train()

    def answers(self) -> str:
        """Returns the predicted class of every test row, one digit each."""
        order = longest_first(self.loaded.test)
        logits = self.predict(Rows([self.loaded.test[i] for i in order])).predictions
        back = torch.tensor(order).argsort()
        return digits(torch.from_numpy(logits).argmax(-1)[back].numpy())

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Returns AdamW, fused; with rates that fall from the head down where the strategy says so."""
        if self.strategy != "layerwise-lr-decay":
            return super().create_optimizer(model)
        if self.optimizer is None:
            lr, decay = self.params["lr"], self.params["decay"]
            assert isinstance(self.model, Classifier)
            parts = stages(self.model.encoder)
            groups = _groups(self.model.linear.parameters(), lr, self.job.weight_decay)
            for i, part in enumerate(parts):
                groups += _groups(part.parameters(), lr * decay ** (len(parts) - i), self.job.weight_decay)
            self.optimizer = torch.optim.AdamW(groups, fused=True)
        return self.optimizer

    def _get_eval_sampler(self, eval_dataset: Any) -> SequentialSampler:
        # With grouping by length the library would shuffle what is sorted already.
        return SequentialSampler(eval_dataset)

    def _start_from_probe(self, model: Classifier) -> None:
        if not self.embedded:
            self.embedded.append(embed(self.loaded, (self.loaded.train,), self.job)[0])
        weight, bias = unfolded(fitted(self.embedded[0], labels_of(self.loaded.train), self.params["l2"]))
        with torch.no_grad():
            half = torch.from_numpy(weight).float() / 2
            model.linear.weight.copy_(torch.stack([-half, half]))
            model.linear.bias.copy_(torch.tensor([-bias / 2, bias / 2]))


class Rows(Dataset[Features]):
    """Rows in memory."""

    def __init__(self, rows: list[Features]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Features:
        return self.rows[index]


def arguments(job: Job, folder: str) -> TrainingArguments:
    """Returns the Trainer's settings: nothing is logged, saved or shown; evaluated once, at the end of a trial."""
    steps = job.epochs * math.ceil(job.train / job.batch_size)
    return TrainingArguments(
        output_dir=folder,
        num_train_epochs=job.epochs,
        per_device_train_batch_size=job.batch_size,
        per_device_eval_batch_size=EVAL_ROWS if job.tuned else 8,
        train_sampling_strategy="group_by_length" if job.tuned else "random",
        bf16=job.tuned and job.precision == "bf16-autocast",
        weight_decay=job.weight_decay,
        warmup_steps=max(1, round(steps * job.warmup)),
        optim="adamw_torch_fused",
        seed=job.seeds[0],
        use_cpu=job.device == "cpu",
        dataloader_num_workers=0,
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )


def work(job: Job, report: Report) -> None:
    """Searches with each strategy, fits its winner with the other seeds, and answers the test rows with each."""
    began = time.monotonic()
    loaded = prepare(job)
    report.load_seconds = time.monotonic() - began
    report.tokens, report.ids = loaded.tokens, loaded.test_ids
    embedded: list[Any] = []
    with tempfile.TemporaryDirectory() as folder:
        for strategy in job.strategies:
            trainer = Search(strategy, job, loaded, folder, embedded)
            trainer.search()
            validation, best = trainer.best
            trainer.model = trainer.model_wrapped = cast(Any, best)
            predictions = {str(job.seeds[0]): trainer.answers()}
            steps = trainer.state.global_step
            report.train_seconds = (report.train_seconds or 0.0) + trainer.train_seconds
            for seed in job.seeds[1:]:
                trainer.refit(seed)
                predictions[str(seed)] = trainer.answers()
            report.cells.append(
                CellReport(strategy, validation, trainer.scored, steps, predictions, dict(trainer.params))
            )


def accuracy_of(output: Any) -> dict[str, float]:
    """Returns the share of right answers of an evaluation."""
    return {"accuracy": float((output.predictions.argmax(-1) == output.label_ids).mean())}


def _groups(parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> list[dict[str, Any]]:
    weights = list(parameters)
    parts = (([w for w in weights if w.ndim > 1], weight_decay), ([w for w in weights if w.ndim <= 1], 0.0))
    return [{"params": params, "lr": lr, "weight_decay": decay} for params, decay in parts if params]


if __name__ == "__main__":
    rehearse()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    run(work)
