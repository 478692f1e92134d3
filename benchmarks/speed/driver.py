"""Runs the rows: tlbench, peer, tlbench, peer, and writes each pair down as soon as it is finished."""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Any

from benchmarks.speed import corpora, models, table
from benchmarks.speed.contest import ROOT, Ring, run_peer, run_tlbench, splits_of
from benchmarks.speed.ledger import Ledger, Pair, Start
from benchmarks.speed.process import SideFailed
from benchmarks.speed.rows import HELP, MINILM, TINY, Row, chosen, quick
from tlbench import __version__

QUICK_ROWS = "probe,top2,bare"
STARTS = 5
"""Pairs of `--help` and `pass` in a round."""
_PEERS = {"trainer": ("accelerate",), "fewshot": ("setfit",), "logistic": (), "loop": (), "tlbench": ()}
_VERSIONS = ("torch", "transformers", "optuna", "accelerate", "scikit-learn", "setfit")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what the command line asks for; returns the exit status."""
    asked = _parser().parse_args(arguments)
    out = Path(asked.out).resolve() if asked.out else _default_out(asked)
    if asked.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.cores])
    asked.work.mkdir(parents=True, exist_ok=True)
    try:
        rows = _rows(asked)
        ledger = Ledger.read(out)
        ring = _ring(asked)
    except ValueError as error:
        print(f"benchmarks.speed: {error}", file=sys.stderr)
        return 2
    # What is measured anew makes way when its first new pair is there, and not before.
    anew = {row.name for row in rows} if asked.fresh else set()
    failed = skipped = 0
    for row in rows:
        reason = _why_not(row, ring)
        if reason:
            print(f"skipped: {row.name}: {reason}", flush=True)
            skipped += 1
            continue
        settings = _settings(row, ring)
        for seed in range(asked.rounds):
            if row.name not in anew and seed in ledger.measured(row.name, settings):
                print(f"{row.name}: round {seed + 1} of {asked.rounds} was measured before", flush=True)
                continue
            try:
                pair = Pair(seed, run_tlbench(row, ring, seed), run_peer(row, ring, seed))
            except SideFailed as error:
                print(f"failed: {row.name}: {error}", file=sys.stderr, flush=True)
                failed += 1
                break
            targets = "".join(str(one.label) for one in splits_of(row.work, ring).test)
            if row.name in anew:
                anew.remove(row.name)
                ledger = ledger.without(row.name)
            ledger = ledger.with_pair(row.name, settings, targets, pair)
            ledger.write(out)
            print(f"{row.name}: round {seed + 1} of {asked.rounds}: {_in_short(pair)}", flush=True)
    if asked.rows == "all" or HELP in asked.rows.split(","):
        ledger = _started(ledger, _machine(ring), asked.rounds * STARTS, asked.fresh)
        ledger.write(out)
    print(f"results in {out}\n")
    print(table.render(ledger))
    if out.parent == table.FOLDER:
        table.refresh()
    return 1 if failed or (rows and skipped == len(rows)) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--rows", default="", help='names separated by commas, or "all"')
    parser.add_argument("--rounds", type=int, help="pairs of each row; 3, or 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: says whether both sides work, not how fast")
    parser.add_argument("--tiny", action="store_true", help="with --quick: a random model on made-up sentences")
    parser.add_argument("--out", help="the file of results; what it holds of the same settings is kept")
    parser.add_argument("--fresh", action="store_true", help="measure the rows anew")
    parser.add_argument("--data-root", default=os.environ.get("TLBENCH_DATA", ""), help="GLUE's folder, or its parent")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--cores", type=int, help="how many cores both sides may use (on Linux)")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "speed", help="scratch and logs")
    return parser


def _default_out(asked: argparse.Namespace) -> Path:
    if asked.quick:
        return Path(asked.work) / "quick.json"
    return table.FOLDER / (table.GPU_RESULTS if asked.device == "cuda" else table.CPU_RESULTS)


def _rows(asked: argparse.Namespace) -> list[Row]:
    asked.rows = asked.rows or (QUICK_ROWS if asked.quick else "all")
    asked.rounds = asked.rounds or (1 if asked.quick else 3)
    rows = chosen(asked.rows, gpu=asked.device == "cuda")
    if not asked.quick:
        return [_at_hand(row, asked.data_root) if row.gpu else row for row in rows]
    if asked.tiny:
        return [quick(row, corpora.GENERATED, TINY) for row in rows]
    model = MINILM if models.minilm_folder() else TINY
    return [quick(row, _at_hand(row, asked.data_root).work.corpus, model) for row in rows]


def _at_hand(row: Row, root: str) -> Row:
    """Returns the row, on made-up sentences where its corpus has no files: what is asked of it is the clock."""
    try:
        corpora.corpus_folder(row.work.corpus, root)
    except FileNotFoundError:
        return replace(row, work=replace(row.work, corpus=corpora.GENERATED))
    return row


def _ring(asked: argparse.Namespace) -> Ring:
    """Returns the settings that all rows share.

    Raises:
        ValueError: No such device.
    """
    import torch

    from tlbench.modeling.precision import resolve
    from tlbench.system.machine import cores

    if asked.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: torch sees no GPU")
    root = str(Path(asked.data_root).resolve()) if asked.data_root else ""
    precision = resolve("auto", torch.device(asked.device))
    return Ring(root, asked.device, precision, cores(), asked.work.resolve())


def _why_not(row: Row, ring: Ring) -> str | None:
    for module in _PEERS[row.peer]:
        if util.find_spec(module) is None:
            return f"{module} is not installed; `make bench` installs the extra `bench`"
    try:
        models.model_of(row.work, ring.work, splits_of(row.work, ring))
    except FileNotFoundError as error:
        return f"{error}; --data-root or TLBENCH_DATA says where GLUE's files are"
    except ValueError as error:
        return str(error)
    return None


def _settings(row: Row, ring: Ring) -> dict[str, Any]:
    work = {**asdict(row.work), "strategies": list(row.work.strategies)}
    settings = {"work": work, "tuned": row.tuned, "precision": ring.precision, "machine": _machine(ring)}
    return {**settings, "code": _code()}


@cache
def _code() -> str:
    """Returns a digest of the sources of both sides; rounds of other code are not comparable."""
    here = Path(__file__).parent
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "plugins").glob("*/src/**/*.py"), *(here / "sides").glob("*.py")]
    files += [here / f"{name}.py" for name in ("contest", "corpora", "models", "plugin")]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _machine(ring: Ring) -> dict[str, Any]:
    """Returns the hardware and the versions, on which results depend."""
    import torch

    from tlbench.system.measure import device_name

    # Its sources may be on the path alone, not installed.
    versions = {"tlbench": __version__}
    for name in _VERSIONS:
        if util.find_spec({"scikit-learn": "sklearn"}.get(name, name)):
            versions[name] = metadata.version(name)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": device_name(torch.device("cpu")).removeprefix("cpu: "),
        "device": device_name(torch.device(ring.device)) if ring.device != "cpu" else "cpu",
        "cores": ring.threads,
        "memory_gib": round(memory / 1024**3),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def _started(ledger: Ledger, settings: dict[str, Any], count: int, anew: bool) -> Ledger:
    """Returns the results with `tlbench --help` and an empty Python program timed in turn."""
    kept = not anew and ledger.start and ledger.start.settings == settings
    before = ledger.start if kept and ledger.start else Start(settings)
    script = Path(sys.executable).with_name("tlbench")
    ask = [str(script)] if script.is_file() else [sys.executable, "-m", "tlbench"]
    times = [
        (_timed([*ask, "--help"]), _timed([sys.executable, "-c", "pass"]))
        for _ in range(count - len(before.help_seconds))
    ]
    start = Start(
        settings,
        (*before.help_seconds, *(one for one, _ in times)),
        (*before.pass_seconds, *(one for _, one in times)),
    )
    return Ledger(rows=ledger.rows, start=start)


def _timed(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def _in_short(pair: Pair) -> str:
    ours, theirs = pair.tlbench.whole_seconds, pair.peer.whole_seconds
    return f"tlbench {ours:.1f} s, peer {theirs:.1f} s: {theirs / ours:.2f} times"
