"""Runs every check of a task's examples."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.data.checks.check_finding import CheckedData, Finding
from tlbench.data.checks.input_checks import empty_inputs, overlapping_inputs, repeated_inputs, straddling_groups
from tlbench.data.checks.length_checks import image_sizes, word_counts
from tlbench.data.checks.target_checks import (
    conflicting_labels,
    invalid_targets,
    rare_classes,
    similar_labels,
    unbalanced_classes,
)


def all_findings(data: CheckedData, weighting: Sequence[str] = ()) -> list[Finding]:
    """Returns the findings of every check that needs no backbone, warnings first.

    Args:
        data: The examples of the task.
        weighting: Names of the strategies that have the parameter `class_weight`, for advice.
    """
    checks = (
        invalid_targets,
        empty_inputs,
        overlapping_inputs,
        straddling_groups,
        similar_labels,
        conflicting_labels,
        rare_classes,
        repeated_inputs,
        word_counts,
        image_sizes,
    )
    found = [finding for check in checks for finding in check(data)]
    return warnings_first([*found, *unbalanced_classes(data, weighting)])


def warnings_first(findings: Sequence[Finding]) -> list[Finding]:
    """Returns the findings in their order, with notes after warnings."""
    return sorted(findings, key=lambda finding: finding.severity == "note")
