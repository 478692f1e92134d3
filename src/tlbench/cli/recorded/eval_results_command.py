"""`tlbench eval-results`: a recorded score as a file for a model's repository on the Hugging Face Hub."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from tlbench.cli import options as o
from tlbench.contracts.errors import UsageError
from tlbench.results.reading.default_folder import expanded

_DATASET = re.compile(r"[\w.-]+/[\w.-]+")


def eval_results(
    cell: Annotated[str, typer.Argument(help="The first digits of a cell's id.")],
    dataset: Annotated[str, typer.Option(metavar="ORG/NAME", help="Benchmark data set on the Hub.")],
    task: Annotated[str, typer.Option(metavar="ID", help="Task within the benchmark.")] = "default",
    revision: Annotated[
        str | None, typer.Option(metavar="COMMIT", help="Commit of the data set.", show_default=False)
    ] = None,
    source_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Page on how it was measured.", show_default=False)
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Model's folder: writes .eval_results/NAME.yaml there, instead of printing it.",
            show_default=False,
        ),
    ] = None,
    json_: o.Json = False,
    out: o.Out = None,
) -> None:
    """Write a score in the Hugging Face Hub's form.

    The Hub shows it on a model's page. The score is that of the cell's primary metric, averaged over seeds. Name the
    data set that the task really is: a generated or reduced task is not the benchmark.
    """
    from tlbench.catalog.catalog import Catalog
    from tlbench.results.records.cell_ids import full_id
    from tlbench.results.records.store import Store
    from tlbench.results.sharing.hub_results import HubDataset, eval_results_yaml

    if not _DATASET.fullmatch(dataset):
        raise UsageError(f"--dataset {dataset}: expected the id of a data set on the Hub, such as org/name")
    store = Store.open(o.out_folder(out))
    record = store.record(full_id(cell, store.attempts()))
    if record is None:
        raise UsageError(f"{store.root}: the record of {cell} cannot be read; `tlbench show {cell}` says why")
    metrics = Catalog.discover().metrics
    metric = metrics.get(record.metrics[0]) if record.metrics else None
    text = eval_results_yaml(record, metric, HubDataset(dataset, task, revision, source_url))
    path = None if to is None else expanded(to) / ".eval_results" / f"{dataset.rpartition('/')[2]}.yaml"
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if json_:
        print(json.dumps({"format": 1, "file": None if path is None else str(path), "yaml": text}, indent=1))
    elif path is None:
        print(text, end="")
    else:
        print(path)
