"""A recorded score as the Hugging Face Hub shows it: `.eval_results/*.yaml` of a model's repository."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from tlbench.contracts.errors import UsageError
from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Record
from tlbench.results.render.escaping import printable


@dataclass(frozen=True)
class HubDataset:
    """The benchmark on the Hub that a score is of, and where the score comes from."""

    dataset: str
    """Id of the data set on the Hub, such as "org/name"."""
    task: str
    """Id of the task within the benchmark."""
    revision: str | None = None
    """Commit of the data set."""
    source_url: str | None = None
    """Address of a page on how the score was measured."""


def eval_results_yaml(record: Record, metric: Metric | None, of: HubDataset) -> str:
    """Returns the file's text for the primary metric of a record: its mean over seeds, in the unit of leaderboards.

    Raises:
        UsageError: The record has no score, or huggingface_hub is too old to know the format.
    """
    scores = [one for one in record.scores if record.metrics and one.metric == record.metrics[0] and one.slice is None]
    if not scores:
        raise UsageError(f"{record.cell.title} has no score: its status is {record.status}")
    import yaml

    try:
        from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
    except ImportError:
        raise UsageError("this huggingface_hub has no EvalResultEntry: pip install -U huggingface_hub") from None
    points = metric.points if metric is not None else 1
    entry = EvalResultEntry(
        dataset_id=of.dataset,
        task_id=of.task,
        value=round(points * fmean(score.value for score in scores), 4),
        dataset_revision=of.revision,
        date=record.provenance.started or None,
        source_url=of.source_url,
        notes=_notes(record, metric.label if metric is not None else record.metrics[0], len(scores), scores[0].n),
    )
    return str(yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False, allow_unicode=True))


def _notes(record: Record, label: str, seeds: int, examples: int) -> str:
    version = record.provenance.distributions.get("tlbench", "")
    strategy = record.cell.strategy.name
    of_seeds = "one seed" if seeds == 1 else f"mean of {seeds} seeds"
    text = f"{label} of {strategy}, {of_seeds}, {examples:,} test examples; tlbench {version}, cell {record.cell.id}"
    return printable(text, 400)
