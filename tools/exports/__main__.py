"""python -m tools.exports: exports winners of every kind, and predicts with them in an environment without tlbench.

The test examples are predicted by the call of the library that loads the folder, and by the folder's `predict.py`. Both
must agree with the predictions that the run stored: probabilities and numbers to 1e-5, tags and texts exactly.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.exports.cases import CASES, ExportCase
from tools.exports.own_files import write_files

if TYPE_CHECKING:
    from tlbench import Output, Predictions

_SCRIPT = Path(__file__).with_name("fresh_process.py")
# In the calling process: eleven workers would each import torch.
_PROTOCOL: dict[str, Any] = {
    "trials": 1, "seeds": 1, "max_steps": 12, "precision": "fp32", "executor": "inline", "device": "cpu",
    "baselines": False, "keep_models": "best-seed", "progress": False,
}  # fmt: skip


@dataclass(frozen=True)
class StoredAnswers:
    """The test examples of an exported winner, and what the run stored of them."""

    folder: Path
    rows: list[list[Any]]
    stored: Predictions
    output: Output


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a line for each case; returns 1 if one differs."""
    parser = argparse.ArgumentParser(prog="python -m tools.exports", description=__doc__)
    parser.add_argument("--python", type=Path, required=True, help="interpreter of the environment without tlbench")
    parser.add_argument("--only", action="append", choices=list(CASES), help="a case; repeatable")
    options = parser.parse_args(arguments)
    cases = {name: CASES[name] for name in options.only or CASES}
    with tempfile.TemporaryDirectory(prefix="tlbench-exports-") as folder, chdir(folder):
        faults = faults_of(cases, options.python.absolute(), Path(folder))
    for name, fault in faults.items():
        print(f"{name} ({cases[name].call}): {fault or 'equal to the stored predictions'}", flush=True)
    return 1 if any(faults.values()) else 0


def faults_of(cases: Mapping[str, ExportCase], python: Path, folder: Path) -> dict[str, str]:
    """Returns by case how the predictions of its export differ from the stored ones; empty texts if they don't.

    Args:
        cases: What to run and export, by name.
        python: An interpreter that cannot import tlbench.
        folder: An empty folder, which is the working directory.

    Raises:
        RuntimeError: A folder cannot be loaded; the message has what the process printed.
    """
    write_files(folder)
    exported = {name: export_case(case, folder / "out", folder / f"model-{i}") for i, (name, case) in enumerate(
        cases.items())}  # fmt: skip
    orders = [{"folder": str(one.folder), "rows": one.rows, "call": cases[name].call} for name, one in exported.items()]
    found = _in_fresh_process(orders, python)
    return {
        name: _fault(by_library, by_script, exported[name])
        for name, (by_library, by_script) in zip(exported, found, strict=True)
    }


def export_case(case: ExportCase, out: Path, to: Path) -> StoredAnswers:
    """Runs a case, exports its winner to a new folder, and returns its test examples with the stored predictions."""
    import tlbench
    from tlbench.catalog.catalog import Catalog
    from tlbench.results.records.store import Store
    from tlbench.results.records.stored_predictions import read_predictions
    from tlbench.running.exporting.export_winner import export_winner
    from tlbench.running.exporting.exported_check import rows_of
    from tlbench.running.winners.kept_winner import kept_winner

    result = tlbench.run(
        tasks=case.task, backbones=case.backbone, strategies=case.strategy, out=out, **_PROTOCOL
    )  # fmt: skip
    (record,) = result.records
    if record.status != "ok":
        raise RuntimeError(f"{record.cell.title}: {record.status}: {record.reason}")
    winner = kept_winner(record.cell.id, out, Catalog.discover(), device="cpu")
    examples = winner.context.test()
    path = Store.open(out).predictions(record)
    assert path is not None
    cell = read_predictions(path, with_scores=True, digest=record.predictions_digest)
    assert cell is not None
    output = winner.context.info.output
    values, scores = cell.values[0], None if cell.scores is None else cell.scores[0]
    if case.kind == "token-classes":
        values = _numbers_of_tags(values, output)
    export_winner(winner, to, keep_adapter=case.keeps_adapter, onnx=case.with_onnx)
    images = to.with_name(f"{to.name}-images")
    images.mkdir()
    order = {example.id: number for number, example in enumerate(examples)}
    rows = rows_of(examples, images)
    stored = tlbench.Predictions(cell.ids, values, scores)
    return StoredAnswers(to, [rows[order[name]] for name in cell.ids], stored, output)


def _numbers_of_tags(values: Any, output: Output) -> Any:
    import numpy as np

    found = np.empty(len(values), dtype=object)
    found[:] = [tuple(output.classes.index(tag) for tag in tags) for tags in values]
    return found


def _in_fresh_process(orders: Sequence[Mapping[str, Any]], python: Path) -> list[tuple[Any, Any]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TLBENCH"))}
    ended = subprocess.run(
        [str(python), "-P", "-B", str(_SCRIPT)], input=json.dumps(orders), capture_output=True, text=True, check=False,
        env={**kept, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    if ended.returncode:
        raise RuntimeError(f"{python}: status {ended.returncode}: {ended.stderr.strip()[-2000:]}")
    found: list[tuple[Any, Any]] = json.loads(ended.stdout.rpartition("\n")[2])
    return found


def _fault(by_library: Any, by_script: Any, exported: StoredAnswers) -> str:
    from tlbench.running.exporting.exported_check import differing

    faults = {"predict.py": differing(by_script, exported.stored, exported.output)}
    if by_library is not None:
        faults["the library"] = differing(by_library, exported.stored, exported.output)
    return "; ".join(f"{name}: {fault}" for name, fault in faults.items() if fault)


if __name__ == "__main__":
    sys.exit(main())
