"""SetFit as its own documentation sets it: pairs of sentences, one epoch, then a logistic regression."""

from __future__ import annotations

import tempfile
import time

import numpy as np
import setfit
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression

from benchmarks.speed import corpora
from benchmarks.speed.sides.classifier import digits, rehearse
from benchmarks.speed.sides.job import CellReport, Job, Report, run


def work(job: Job, report: Report) -> None:
    """Trains once with SetFit's defaults, at the job's batch size."""
    began = time.monotonic()
    splits = corpora.load(job.corpus, job.data_root, job.train, job.held_out)
    body = SentenceTransformer(job.folder, device=job.device, local_files_only=True, trust_remote_code=False)
    report.load_seconds = time.monotonic() - began
    rows = Dataset.from_dict({"text": [row.texts[0] for row in splits.train], "label": [r.label for r in splits.train]})
    with tempfile.TemporaryDirectory() as folder:
        settings = setfit.TrainingArguments(
            output_dir=folder, batch_size=job.batch_size, num_epochs=1, seed=job.seeds[0], report_to="none",
            save_strategy="no", logging_strategy="no", show_progress_bar=False,
            use_amp=job.precision == "bf16-autocast" and job.device == "cuda",
        )  # fmt: skip
        model = setfit.SetFitModel(model_body=body, model_head=LogisticRegression())
        trainer = setfit.Trainer(model=model, args=settings, train_dataset=rows)
        trainer.train()
        accuracy = float((_answers(model, splits.validation) == [row.label for row in splits.validation]).mean())
        predicted = {str(job.seeds[0]): digits(_answers(model, splits.test))}
    report.ids = [row.id for row in splits.test]
    report.cells = [CellReport("setfit", accuracy, 1, trainer.st_trainer.state.global_step, predicted)]


def _answers(model: setfit.SetFitModel, rows: list[corpora.Labelled]) -> np.ndarray:
    return np.asarray(model.predict([row.texts[0] for row in rows], batch_size=128, show_progress_bar=False))


if __name__ == "__main__":
    rehearse()
    run(work)
