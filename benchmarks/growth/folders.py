"""Generates record folders of any size, as a run would write them, and suites of any size."""

from __future__ import annotations

import itertools
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tlbench import Cell, Protocol, Record
from tlbench.contracts.cell import Plan, Ref
from tlbench.contracts.record import FitResult, Memory, Provenance, Seconds, TestScore
from tlbench.results.index import NAME as INDEX
from tlbench.results.records.journal import NAME as JOURNAL
from tlbench.results.records.journal import Journal
from tlbench.results.records.store import Store
from tlbench.system.durable import stamp_of

SEEDS = (0, 1, 2)
TRIALS = 16
EXAMPLES = 500
SLICES = ("phenomenon=agreement", "phenomenon=negation", "phenomenon=plain", "frame=new")
STRATEGIES = (
    "linear-probe",
    "partial-finetune[stages=1]",
    "partial-finetune[stages=2]",
    "partial-finetune[stages=3]",
    "full-finetune",
    "from-scratch",
    "lp-ft",
    "layerwise-lr-decay",
    "full-finetune[warmup=0.2]",
    "full-finetune[weight_decay=0.1]",
)
_METRICS = ("accuracy", "f1")


def shape(size: int) -> tuple[int, int, int]:
    """Returns numbers of tasks, backbones and strategies whose product is `size`: 50, 200 and 10 for 100,000."""
    strategies = min(len(STRATEGIES), size)
    rest = size // strategies
    tasks = max(number for number in range(1, 51) if rest % number == 0 and number * number <= max(1, rest))
    return tasks, rest // tasks, strategies


def make_folder(root: Path, size: int, predicted: float) -> tuple[float, float]:
    """Makes a folder of `size` records, of which this share has predictions, and the plan that they fulfil.

    Returns:
        The seconds, and those of a processor, that adding all records to the journal took.
    """
    shutil.rmtree(root, ignore_errors=True)
    store = Store.create(root)
    journal, passed, worked = Journal(root), 0.0, 0.0
    rng = np.random.default_rng(size)
    with_predictions = set(rng.permutation(size)[: round(predicted * size)].tolist())
    cells = []
    for i, where in enumerate(itertools.product(*map(range, shape(size)))):
        cell = _cell(*where)
        record = _record(cell, rng, where)
        if i in with_predictions:
            record = _predict(record, rng, where[0], store.root / "records")
        cells.append(cell)
        # As `Store.commit` writes them, without waiting for the disk each time.
        path, content = store.root / "records" / f"{cell.id}.1.json", msgspec.json.encode(record)
        path.write_bytes(content)
        began = time.perf_counter(), time.process_time()
        journal.add(path, content, stamp_of(path.stat()))
        passed, worked = passed + time.perf_counter() - began[0], worked + time.process_time() - began[1]
    store.save_plan(Plan("growth", tuple(cells)))
    return passed, worked


def forget_index(root: Path, journal: bytes | None = None) -> None:
    """Removes the index of the last leaderboard, and restores the journal if there was one."""
    (root / INDEX).unlink(missing_ok=True)
    path = journal_of(root)
    path.unlink(missing_ok=True)
    if journal is not None:
        path.write_bytes(journal)


def journal_of(root: Path) -> Path:
    """Returns the journal, to which commits append."""
    return root / "work" / JOURNAL


def write_suite(path: Path, size: int) -> None:
    """Writes a suite of `size` cells over toy tasks and backbones, whose names carry parameters."""
    tasks, backbones, strategies = shape(size)
    lines = ["[protocol]", "trials = 16", "seeds = 3", "max_steps = 96", "train_limit = 768", "[[cells]]"]
    lines.append(f"tasks = {[f'toy-tone[draw={i}]' for i in range(tasks)]}")
    lines.append(f"backbones = {[f'toy[weights={i}]' for i in range(backbones)]}")
    lines.append(f"strategies = {list(STRATEGIES[:strategies])}")
    lines += ["[space.linear-probe]", "l2 = { low = 1e-4 }", "[space.full-finetune]", "lr = { low = 1e-5 }"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _cell(task: int, backbone: int, strategy: int) -> Cell:
    protocol = Protocol(trials=TRIALS, seeds=SEEDS, max_steps=96, train_limit=768)
    return Cell(Ref(f"task-{task:02}"), Ref(STRATEGIES[strategy]), protocol, Ref(f"hf:org/model-{backbone:03}@main"))


def _record(cell: Cell, rng: np.random.Generator, where: tuple[int, int, int]) -> Record:
    task, backbone, strategy = where
    if rng.random() < 0.01:
        reason = "CUDA out of memory: tried to allocate 2.00 GiB"
        return Record(cell, "oom", reason=reason, metrics=_METRICS, provenance=_provenance(task, strategy))
    # Some tasks are harder, some backbones better, some strategies stronger; the rest is luck.
    level = 0.6 + 0.15 * np.sin(task) + 0.1 * np.sin(7 * backbone) + 0.05 * np.cos(3 * strategy)
    numbers = rng.random((TRIALS, 6))
    trials = tuple(_fit("search", 0, i, numbers[i]) for i in range(TRIALS))
    fits = tuple(_fit("final", seed, 3, rng.random(6)) for seed in SEEDS)
    scores = []
    for metric in _METRICS:
        for name in (None, *SLICES):
            count = EXAMPLES if name is None else EXAMPLES // 4
            for seed, noise in zip(SEEDS, rng.normal(scale=0.01, size=len(SEEDS)).tolist(), strict=True):
                value, half = float(np.clip(level + noise, 0, 1)), 1 / count**0.5
                low, high = max(0.0, value - half), min(1.0, value + half)
                scores.append(TestScore(metric, seed, value, low, high, count, name))
    seconds = Seconds(*(rng.random(7) * 100).tolist())
    memory = Memory(300_000_000, 300_000_000 + int(rng.integers(10**9)))
    return Record(
        cell, "ok", metrics=_METRICS, best_params=trials[3].params, trials=trials, fits=fits, validation=float(level),
        scores=tuple(scores), seconds=seconds, memory=memory, parameters=22_713_986, trainable_parameters=770,
        examples_seen=24_576, test_reads=1, provenance=_provenance(task, strategy),
    )  # fmt: skip


def _fit(purpose: Any, seed: int, trial: int, numbers: np.ndarray) -> FitResult:
    lr, decay, *rest = numbers.tolist()
    return FitResult(
        {"lr": lr / 100, "weight_decay": decay / 10}, seed, purpose, trial, "ok", validation=rest[0],
        fit_seconds=30 * rest[1], validate_seconds=rest[2], encode_seconds=8.1, encode_paid_seconds=rest[3],
        examples_seen=24_576, parameters=22_713_986, trainable_parameters=770,
        notes={"epochs": 3.0, "best_step": 96.0, "padding": 0.2},
    )  # fmt: skip


def _provenance(task: int, strategy: int) -> Provenance:
    libraries = {"numpy": "2.4.6", "optuna": "5.0.0", "tlbench": "0.1.0", "tlbench-glue": "0.1.0", "torch": "2.15.0"}
    if strategy:
        libraries["tlbench-finetune"] = "0.1.0"
    data = {split: f"{task:04x}{split:0<12}" for split in ("train", "validation", "test")}
    return Provenance(libraries, "3.11.7", "Linux x86_64", "cpu", "fp32", 1, data, "2026-01-01T00:00:00+00:00")


def _predict(record: Record, rng: np.random.Generator, task: int, folder: Path) -> Record:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tlbench.metrics.resampling import score
    from tlbench.metrics.scored import Scored

    if record.status != "ok":
        return record
    of_task = np.random.default_rng(task)
    targets, hardness = of_task.integers(0, 2, EXAMPLES), of_task.random(EXAMPLES)
    ids = [f"task-{task:02}-{i}" for i in range(EXAMPLES)]
    tables, scores = [], [part for part in record.scores if part.slice is not None]
    for old in (part for part in record.scores if part.slice is None and part.metric == _METRICS[0]):
        right = hardness + rng.normal(scale=0.1, size=EXAMPLES) < old.value
        values = np.where(right, targets, 1 - targets)
        columns = {"seed": [old.seed] * EXAMPLES, "id": ids, "target": targets, "value": values}
        columns["scores"] = np.stack([1 - values, values], axis=1).astype(np.float32).tolist()
        tables.append(pa.table(columns))
        for metric in _METRICS:
            value = score(metric, Scored(targets, values))
            scores.append(msgspec.structs.replace(old, metric=metric, value=value, low=value - 0.04, high=value + 0.04))
    name = f"{record.cell.id}.1.parquet"
    pq.write_table(pa.concat_tables(tables), folder / name, compression="zstd")
    return msgspec.structs.replace(record, scores=tuple(scores), predictions=name)
