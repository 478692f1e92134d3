"""tlbench's own metrics pass the conformance checks for plugins."""

import pytest

from tlbench.metrics import METRICS
from tlbench.testing.conformance import MetricConformance


class OfEach(MetricConformance):
    @pytest.fixture(autouse=True, params=sorted(METRICS))
    def _metric(self, request):
        type(self).metric = METRICS[request.param]
        # Random but correct predictions need not be well calibrated.
        type(self).rewards_right_answers = request.param != "calibration_error"


class TestMetrics(OfEach):
    pass
