"""Runs one side of a row once and returns its measurements and results."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from benchmarks.speed import corpora
from benchmarks.speed.models import model_of
from benchmarks.speed.plugin import DATA_VARIABLE, PREFIX, STAMPS_VARIABLE
from benchmarks.speed.process import Measured, SideFailed, measure
from benchmarks.speed.rows import Row, Work
from benchmarks.speed.sides.job import CellReport, Job, Report
from tlbench import Classes, Float, Protocol, SpaceContext, TaskInfo
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.loading.plugin_modules import MODULES_VARIABLE
from tlbench.results.records.store import Store

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ring:
    """Settings that all rows share."""

    data_root: str
    device: str
    precision: str
    """Resolved: what tlbench's `auto` means on the device."""
    threads: int
    work: Path
    """Scratch: suites, reports, logs, random models."""


class Side(msgspec.Struct, frozen=True):
    """One side of a pair."""

    whole_seconds: float
    """The process, as its user waits."""
    work_seconds: float | None
    """From the end of the imports to the last result; None where the moments were not noted."""
    peak_bytes: int
    """The most memory that the side's processes had together, shared pages counted once."""
    over_time_bytes: tuple[int, ...]
    cells: tuple[CellReport, ...]
    load_seconds: float | None = None
    train_seconds: float | None = None
    tokens: int = 0


def splits_of(work: Work, ring: Ring) -> corpora.Splits:
    """Returns the rows of a piece of work."""
    return corpora.load(work.corpus, ring.data_root, work.train, work.held_out)


def run_tlbench(row: Row, ring: Ring, seed: int, strategies: tuple[str, ...] = ()) -> Side:
    """Runs `tlbench run` on the row's work.

    Raises:
        SideFailed: It failed, or a cell has no score.
    """
    work = replace(row.work, strategies=strategies or row.work.strategies)
    backbone, _ = model_of(work, ring.work, splits_of(work, ring))
    with tempfile.TemporaryDirectory(dir=ring.work, prefix="tlbench-") as scratch:
        folder = Path(scratch)
        suite, out, stamps = folder / "speed.toml", folder / "out", folder / "stamps"
        stamps.mkdir()
        suite.write_text(suite_text(work, backbone, seed), encoding="utf-8")
        environment = {
            **environment_of(ring.device),
            MODULES_VARIABLE: ",".join(filter(None, [os.environ.get(MODULES_VARIABLE), "benchmarks.speed.plugin"])),
            DATA_VARIABLE: ring.data_root,
            STAMPS_VARIABLE: str(stamps),
            # What one run has computed is not to serve the next.
            "TLBENCH_CACHE": str(folder / "cache"),
        }
        command = [sys.executable, "-m", "tlbench", "run", "--suite", str(suite), "--out", str(out)]
        measured = measure([*command, "--device", ring.device], environment, ring.work / f"{row.name}.tlbench.log")
        cells, fit_seconds = _collected(out, work, [one.id for one in splits_of(work, ring).test])
        return _side(measured, cells, _work_seconds(stamps), train_seconds=fit_seconds)


def run_peer(row: Row, ring: Ring, seed: int) -> Side:
    """Runs the row's peer on the same work.

    Raises:
        SideFailed: It failed, or answered other rows.
    """
    if row.peer == "tlbench":
        return run_tlbench(row, ring, seed, row.peer_strategies)
    splits = splits_of(row.work, ring)
    job = job_of(row, ring, seed, splits)
    log = ring.work / f"{row.name}.{row.peer}.log"
    with tempfile.TemporaryDirectory(dir=ring.work, prefix="peer-") as scratch:
        asked, answered = Path(scratch) / "job.json", Path(scratch) / "report.json"
        asked.write_text(json.dumps(asdict(job)), encoding="utf-8")
        threads = {name: str(ring.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        command = [sys.executable, "-m", f"benchmarks.speed.sides.{row.peer}", str(asked), str(answered)]
        measured = measure(command, {**environment_of(ring.device), **threads}, log)
        report = msgspec.json.decode(answered.read_bytes(), type=Report)
    if report.ids != [one.id for one in splits.test]:
        raise SideFailed(f"{row.peer} answered other rows than the test split's")
    return _side(measured, report.cells, report.work_seconds, report.load_seconds, report.train_seconds, report.tokens)


def job_of(row: Row, ring: Ring, seed: int, splits: corpora.Splits) -> Job:
    """Returns the job of the row's peer: the same work, with the search ranges of tlbench's strategies."""
    work = row.work
    backbone, folder = model_of(work, ring.work, splits)
    catalog = Catalog.discover()
    names = corpora.class_names(work.corpus)
    task = TaskInfo("speed", Classes(names), ("accuracy",))
    about = SpaceContext(task, Protocol(trials=work.trials, epochs=work.epochs), catalog.backbone(backbone).item)
    spaces, defaults = {}, {}
    for name in {*work.strategies, "full-finetune", "linear-probe"}:
        strategy = catalog.strategy(name).item
        spaces[name] = {key: msgspec.structs.asdict(domain) for key, domain in strategy.space(about).items()
                        if isinstance(domain, Float)}  # fmt: skip
        defaults[name] = {key: float(value) for key, value in strategy.defaults(about).items() if key in spaces[name]}
    return Job(
        corpus=work.corpus, data_root=ring.data_root, train=work.train, held_out=work.held_out,
        classes=len(names), folder=str(folder), strategies=work.strategies, trials=work.trials,
        seeds=seeds_of(work, seed), epochs=work.epochs, batch_size=work.batch_size, precision=ring.precision,
        device=ring.device, tuned=row.tuned, spaces=spaces, defaults=defaults,
    )  # fmt: skip


def suite_text(work: Work, backbone: str, seed: int) -> str:
    """Returns the suite that is the row's work in tlbench."""
    task = f"{PREFIX}{work.corpus}[held_out={work.held_out},train={work.train}]"
    return "\n".join(
        [
            'name = "speed"',
            "[protocol]",
            f"trials = {work.trials}",
            f"seeds = {list(seeds_of(work, seed))}",
            f"epochs = {work.epochs}",
            'precision = "auto"',
            *(['sampler = "grid"'] if work.grid else []),
            "[[cells]]",
            f"backbones = {json.dumps([backbone])}",
            f"tasks = {json.dumps([task])}",
            f"strategies = {json.dumps(list(work.strategies))}",
            "",
        ]
    )


def seeds_of(work: Work, seed: int) -> tuple[int, ...]:
    """Returns the seeds of a round: another one each round, or the same ones where the work itself has several."""
    return (seed,) if work.seeds == 1 else tuple(range(work.seeds))


def environment_of(device: str) -> dict[str, str]:
    """Returns the environment of a side: this one's, without a network, with this repository's root importable.

    Both sides see the same one GPU: of several, tlbench would start a worker on each, and the Trainer would split
    each batch between them.
    """
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    if device == "cuda":
        kept["CUDA_VISIBLE_DEVICES"] = (kept.get("CUDA_VISIBLE_DEVICES") or "0").partition(",")[0]
    path = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH")]))
    return {**kept, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def _collected(out: Path, work: Work, ids: list[str]) -> tuple[list[CellReport], float]:
    """Returns the records as reports, in the order of the strategies, and the seconds that all fits took."""
    import pyarrow.parquet as pq

    store = Store.open(out)
    by_strategy = {record.cell.strategy.name: record for record in store.records()}
    cells, seconds = [], 0.0
    for strategy in work.strategies:
        # The canonical name leaves out what is a default.
        record = by_strategy.get(strategy) or by_strategy.get(strategy.partition("[")[0])
        path = store.predictions(record) if record and record.status == "ok" else None
        if record is None or path is None or record.validation is None:
            raise SideFailed(f"tlbench has no score for {strategy}: {record.reason if record else 'no record'}")
        answers: dict[str, dict[str, int]] = {}
        for line in pq.read_table(path, columns=["seed", "id", "value"]).to_pylist():
            answers.setdefault(str(line["seed"]), {})[line["id"]] = line["value"]
        predictions = {seed: "".join(str(by_id[one]) for one in ids) for seed, by_id in answers.items()}
        steps = {int(fit.notes.get("steps", 0)) for fit in (*record.trials, *record.fits) if fit.status == "ok"}
        if len(steps) != 1:
            raise SideFailed(f"tlbench's fits of {strategy} took different numbers of steps: {sorted(steps)}")
        # Of one setting there is nothing to search: its fits are the final ones.
        tried = record.trials or record.fits[:1]
        scored = sum(trial.status == "ok" for trial in tried)
        params = {name: float(value) for name, value in record.best_params.items() if not isinstance(value, str)}
        cells.append(CellReport(strategy, record.validation, scored, steps.pop(), predictions, params))
        seconds += sum(trial.fit_seconds for trial in tried)
    return cells, seconds


def _work_seconds(stamps: Path) -> float | None:
    ready, recorded = (sorted(_moments(stamps, name)) for name in ("ready", "recorded"))
    return recorded[-1] - ready[0] if ready and recorded else None


def _moments(stamps: Path, name: str) -> Iterator[float]:
    for path in stamps.glob(f"{name}-*"):
        yield float(path.read_text())


def _side(
    measured: Measured,
    cells: list[CellReport],
    work_seconds: float | None,
    load_seconds: float | None = None,
    train_seconds: float | None = None,
    tokens: int = 0,
) -> Side:
    return Side(
        whole_seconds=measured.whole_seconds, work_seconds=work_seconds, peak_bytes=measured.peak_bytes,
        over_time_bytes=tuple(measured.over_time_bytes), cells=tuple(cells),
        load_seconds=load_seconds, train_seconds=train_seconds, tokens=tokens,
    )  # fmt: skip
