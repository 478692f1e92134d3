"""A metric whose attributes tables could not use is broken, and is named in one line; the others are there."""

from __future__ import annotations

import numpy as np
import pytest

from tests.catalog.test_discovery import plugin
from tests.metrics.faulty_metrics import Hits
from tests.metrics.third_party import Cost, WithinHalf
from tlbench import Output
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.objects import fault_of
from tlbench.metrics import METRICS


def raising(self):
    raise LookupError("no\nfile")


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [
        ("name", "within-half", "has the name 'within-half', which is no identifier"),
        ("name", "a" * 81, "is no identifier of at most 80 characters"),
        ("label", 7, "has the label 7, which is no line of visible text"),
        ("label", "", "has the label '', which is no line of visible text"),
        ("outputs", (int,), "are no tuple of classes such as (Classes,)"),
        ("outputs", (Output,), "are no tuple of classes such as (Classes,)"),
        ("greater_is_better", "no", "has the greater_is_better 'no', which is neither True nor False"),
        ("greater_is_better", property(raising), "cannot say its greater_is_better: LookupError: no file"),
        ("reads_scores", 1, "has the reads_scores 1, which is neither True nor False"),
        ("in_points", None, "has the in_points None, which is neither True nor False"),
        ("worst", "0", "has the worst '0', which is neither a finite number nor None"),
        ("worst", float("nan"), "has the worst nan, which is neither a finite number nor None"),
        ("worst", True, "has the worst True, which is neither a finite number nor None"),
        ("worst", np.zeros(2), "which is neither a finite number nor None"),
        ("worst", 2.0, "has the worst value 2.0, which is not between its lowest and highest, 0.0 and 1.0"),
        ("lowest", 1.0, "has the lowest value 1.0, which is not below its highest, 1.0"),
        ("highest", 1j, "has the highest 1j, which is neither a finite number nor None"),
        ("points", 0, "has the points 0, which is no number above 0"),
        ("citation", None, "has the citation None, which is no text"),
    ],
)
def test_an_attribute_that_cannot_be_used_is_named(attribute, value, said):
    broken = type("Broken", (Hits,), {attribute: value})()
    catalog = Catalog.discover([plugin("odd", tlbench_metrics=lambda: [broken, WithinHalf()])])
    assert "within_half" in catalog.metrics
    assert broken.name not in catalog.metrics
    (reason,) = [one.reason for one in catalog.broken if one.plugin.startswith("odd")]
    assert reason.startswith(f"the metric {broken.name!r} (Broken) ")
    assert said in reason
    assert "\n" not in reason


@pytest.mark.parametrize("metric", [*METRICS.values(), Cost(), WithinHalf(), Hits()], ids=lambda metric: metric.name)
def test_nothing_is_wrong_with_these(metric):
    assert fault_of("metric", metric) == ""
