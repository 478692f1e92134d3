"""Every metric of tlbench's own keeps what is asked of a plugin's."""

import pytest

from tlbench.metrics import METRICS
from tlbench.testing.conformance import MetricConformance


class OfEach(MetricConformance):
    @pytest.fixture(autouse=True, params=sorted(METRICS))
    def _metric(self, request):
        type(self).metric = METRICS[request.param]
        type(self).rewards_right_answers = request.param != "calibration_error"


class TestMetrics(OfEach):
    pass
