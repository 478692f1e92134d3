"""Checks the data of one task as a run reads it: its splits, and the texts that a backbone cuts.

The test split is sealed: unless the caller asks for its labels, its targets are removed as soon as it is read, and a
check before a run does not read it at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tlbench.catalog.catalog import Catalog, Found
from tlbench.catalog.names import parameter_values, parameters
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import PluginError, UsageError
from tlbench.contracts.task import Example, Examples, Task
from tlbench.data.checks.all_checks import all_findings, warnings_first
from tlbench.data.checks.check_finding import CheckedData, Finding
from tlbench.data.checks.length_checks import cut_texts
from tlbench.running.longer_texts import longer_texts
from tlbench.running.splits import Splits

TestUse: TypeAlias = Literal["nothing", "inputs", "labels"]
"""The part of the test split that a check may read."""


@dataclass(frozen=True)
class TaskCheck:
    """The findings of one task."""

    task: str
    """Canonical name."""
    sizes: dict[str, int]
    """Number of rows of each split that was read."""
    findings: tuple[Finding, ...]
    """Warnings first."""

    @property
    def warnings(self) -> int:
        """Number of warnings."""
        return sum(finding.severity == "warning" for finding in self.findings)


def check_task(
    found: Found[Task], catalog: Catalog, test: TestUse, backbones: Sequence[Found[Backbone]] = ()
) -> TaskCheck:
    """Returns the findings on a task's data.

    Args:
        found: The task.
        catalog: The installed plugins, for strategies that advice may name.
        test: What is read of the test split.
        backbones: Backbones that tokenise the texts, to count those that they cut. Needs torch.

    Raises:
        UsageError: The data cannot be read, or a backbone cannot read it.
    """
    task = found.item
    with _as_usage_error(f"{found.ref.name} ({found.distribution}) failed while its data was read"):
        splits = _splits(task, test)
        labelled = tuple(split for split in splits if split != "test" or test == "labels")
        options = frozenset(parameter.name for parameter in parameter_values(task))
        data = CheckedData(splits, task.output, labelled, options, task.metrics[0])
        notes: Sequence[str] = getattr(task, "reading_notes", ())
        findings = [Finding("reading", "note", note) for note in notes]
        findings += all_findings(data, class_weighting(catalog))
    for backbone in backbones:
        # The exact count of cut texts replaces the findings that are based on numbers of words.
        findings = [finding for finding in findings if finding.kind != "words"]
        findings += _cut(backbone, task, splits)
    sizes = {split: len(examples) for split, examples in splits.items()}
    return TaskCheck(found.ref.name, sizes, tuple(warnings_first(findings)))


def _splits(task: Task, test: TestUse) -> dict[str, Examples]:
    read = Splits(task)
    splits = {"train": read.train, "validation": read.validation}
    if test != "nothing":
        examples = task.split("test")
        if not examples:
            raise PluginError(f"{task.name}: the test split is empty")
        splits["test"] = examples if test == "labels" else examples.without_targets()
    return splits


def _cut(backbone: Found[Backbone], task: Task, splits: dict[str, Examples]) -> list[Finding]:
    name = backbone.ref.name
    # Notes and not errors, since a suite may have tasks of other kinds too.
    if task.modality != "text" or backbone.item.modality != "text":
        reads = f"{name} reads {backbone.item.modality}s and the task has {task.modality}s: no text is cut"
        return [Finding("cut-text", "note", reads)]
    if reason := backbone.item.supports(task.output):
        return [Finding("cut-text", "note", reason)]
    cut: dict[str, tuple[list[Example], int]] = {}
    with _as_usage_error(f"{name} ({backbone.distribution}) failed on the data of {task.name}"):
        for split, examples in splits.items():
            # Targets of the test split are removed, as when a run featurises it.
            rows = examples.without_targets() if split == "test" else examples
            truncated = backbone.item.featurize(rows, task.output).truncated
            if truncated is None:
                return [Finding("cut-text", "note", f"{name} does not say which inputs it cuts")]
            cut[split] = [rows[row] for row in truncated.nonzero()[0].tolist()], len(rows)
        found = cut_texts(name, cut, longer_texts(backbone))
    return found or [Finding("cut-text", "note", f"{name} reads every input to its end")]


def class_weighting(catalog: Catalog) -> list[str]:
    """Returns the names of the strategies that can weight classes; last `from-scratch`, which is a reference."""
    names = [entry.name for entry in catalog.entries("strategy") if "class_weight" in parameters(entry.item)]
    return sorted(names, key=lambda name: name == "from-scratch")


@contextmanager
def _as_usage_error(what: str) -> Iterator[None]:
    try:
        yield
    except UsageError:
        raise
    except PluginError as error:
        raise UsageError(str(error)) from error
    except (Exception, SystemExit) as error:
        raise UsageError(f"{what}: {type(error).__name__}: {error}") from error
