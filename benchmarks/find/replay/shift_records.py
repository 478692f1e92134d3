"""SHiFT's published fine-tuning records as a foreign grid: 19 image tasks with about 200 public models each.

The records have a fit for each model and task, with its validation and test accuracy and seconds on a GPU, and no
answers by example, rungs or features. So the oracle is named on the same test rows that score, there is one split, and
only policies that need neither rungs nor features are replayed. The models' sizes are not recorded either, so that
there is no order by size.

Renggli et al. 2022, arXiv:2204.01457; the file `ftrecords.csv` of the repository DS3Lab/shift.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmarks.find.replay.replay_task import Array, ReplayTask
from tlbench import DataError
from tlbench.contracts.policies.policy import Candidate

TASKS = 19
# By name of the data set alone, two tasks on the same images would be one.
_PREFIX = {"clevr": "clevr", "dsprites": "dsprites", "smallnorb": "smallnorb"}
_TEXT = ("glue/", "tweet_eval/", "ag_news", "amazon_polarity", "dbpedia_14", "rotten_tomatoes")


def shift_tasks(file: Path) -> list[ReplayTask]:
    """Returns the image tasks: learning rate 0.01, 25 epochs, 800 training and 200 validation rows.

    Of several records of a model on a task, as after a change of batch size, the last one counts. The text fits of 25
    epochs answer a constant and are left out, as are records on a test split without labels.

    Raises:
        DataError: The file is absent or has other columns.
    """
    tasks: dict[str, dict[str, tuple[float, float, float]]] = {}
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            for name, model, values in _records(csv.DictReader(stream)):
                tasks.setdefault(name, {})[model] = values
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise DataError(f"{file}: SHiFT's records cannot be read: {' '.join(str(error).split())}") from error
    return [_task(name, models) for name, models in sorted(tasks.items())]


def _records(rows: Iterator[dict[str, str]]) -> Iterator[tuple[str, str, tuple[float, float, float]]]:
    for row in rows:
        data = row["train_dataset_name"]
        config = row["configs"]
        if data.startswith(_TEXT) or row["epochs"] != "25" or "'lr': 0.01" not in config:
            continue
        if (row["train_slice"], row["val_slice"]) != (":800", "800:1000"):
            continue
        # The published test split of CLEVR has no labels: these records have an accuracy of 0.
        if data == "clevr" and row["test_split"] != "validation":
            continue
        values = tuple(float(row[one] or "nan") for one in ("val_accuracy", "test_accuracy", "elapsed_time"))
        if all(map(math.isfinite, values)):
            yield f"{data}{_target(data, config)}", row["model_identifier"], values  # type: ignore[misc]


def _target(data: str, config: str) -> str:
    """Returns the suffix, such as "-count", that names the target of a data set with several targets; else ""."""
    if data not in _PREFIX:
        return ""
    marks = ("clevr_count", "clevr_distance", "dsprites_orientation", "dsprites_location", "azimuth", "elevation")
    found = next((one for one in marks if one in config), None)
    if found is None:
        raise ValueError(f"a record of {data} does not say what is predicted: {config}")
    return f"-{found.rpartition('_')[2]}"


def _task(name: str, models: Mapping[str, tuple[float, float, float]]) -> ReplayTask:
    values = np.array(list(models.values()))
    validation, test, seconds = values.T
    fits = len(models)
    scores = np.repeat(validation[:, None], 3, 1)

    def draw(number: int) -> Array:
        return scores

    return ReplayTask(
        name=name, modality="image", test_rows=0, validation_rows=200,
        candidates=[Candidate(number, "finetune", model) for number, model in enumerate(models)],
        rows={(number, ()): number for number in range(fits)},
        seconds=np.repeat(seconds[:, None], 3, 1),
        encodings=[frozenset()] * fits,
        encoding_seconds=[],
        answered=np.ones((fits, 3), bool),
        constant=np.zeros((fits, 3), bool),
        validation=draw,
        naming=test[:, None], scoring=test[:, None],
        final_seconds=2 * seconds,
        fallback=int(test.argmin()),
        has_rungs=False,
    )  # fmt: skip
