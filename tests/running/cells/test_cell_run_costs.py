"""Costs and provenance in a cell's record."""

import msgspec

from tlbench.contracts.executor import Capacity
from tlbench.contracts.record import Provenance


def test_what_was_made_otherwise_is_stale_whether_it_has_a_score_or_not(runs, monkeypatch):
    from tlbench.running import staleness

    for record in runs.run(["toy-fit", "toy-failing"]):
        made = record.provenance

        def differs(record, device="cpu", threads=made.threads):
            return staleness.StalenessChecker(runs.catalog, Capacity(1, threads, device)).is_stale(record)

        assert made.distributions["tlbench"]
        assert set(made.data) >= {"train", "validation"}
        assert not differs(record)
        assert differs(record, threads=made.threads + 1)
        assert differs(record, device="cuda")
        with monkeypatch.context() as patch:
            patch.setattr(staleness, "cpu_name", lambda: "cpu: another")
            assert differs(record)
        for part, value in (("distributions", {"tlbench": "0.0.0"}), ("data", {**made.data, "train": "another"})):
            other = msgspec.structs.replace(made, **{part: value})
            assert differs(msgspec.structs.replace(record, provenance=other)), part
        unknown = msgspec.structs.replace(made, distributions={"not-here": "1"}, data={"test": "never read"})
        assert not differs(msgspec.structs.replace(record, provenance=unknown))
        assert not differs(msgspec.structs.replace(record, provenance=Provenance()))


def test_what_is_made_once_leaves_the_random_numbers_alone(runs, monkeypatch):
    import torch

    from tlbench.testing.toys import ToyFit

    drawn = []
    real = ToyFit.fit

    def fit(self, job):
        job.once("key", lambda: torch.rand(3))
        drawn.append(torch.rand(1).item())
        return real(self, job)

    monkeypatch.setattr(ToyFit, "fit", fit)
    runs.one("toy-fit", trials=2)
    assert drawn[0] == drawn[1]


def test_what_is_made_once_is_charged_to_every_fit_that_uses_it_and_paid_once(runs, monkeypatch):
    from tlbench.system.measure import time
    from tlbench.testing.toys import ToyFit

    ahead = [0.0]
    clock = time.perf_counter
    monkeypatch.setattr(time, "perf_counter", lambda: clock() + ahead[0])
    real = ToyFit.fit

    def fit(self, job):
        def make():
            ahead[0] += 1000.0
            return "a teacher"

        assert job.once("teacher", make) == job.once("teacher", make) == "a teacher"
        return real(self, job)

    monkeypatch.setattr(ToyFit, "fit", fit)
    record = runs.one("toy-fit", trials=3, seeds=2)
    assert ahead[0] == 2000.0
    assert [round(trial.setup_paid_seconds, -2) for trial in record.trials] == [1000, 0, 0]
    assert [round(fit.setup_seconds, -2) for fit in (*record.trials, *record.fits)] == [1000] * 5
    assert round(record.seconds.setup, -2) == 1000
    assert 1000 <= record.seconds.search < 2000


def test_what_encoding_the_test_split_cost_is_paid_too(runs, monkeypatch):
    from tlbench.running.fitting import worker

    real = worker.predict_timed
    paid = []

    def predict_timed(*arguments):
        predictions, seconds, encoding = real(*arguments)
        paid.append(encoding + 1000.0)
        return predictions, seconds, paid[-1]

    monkeypatch.setattr(worker, "predict_timed", predict_timed)
    record = runs.one("toy-fit", seeds=2)
    assert len(paid) == 2
    assert sum(paid) <= record.seconds.encode_paid < sum(paid) + 1000


def test_nested_timings_are_counted_once(monkeypatch):
    from types import SimpleNamespace

    from tlbench.modeling.activations.activation_cache import Activations
    from tlbench.running.fitting.measuring.timing import FitTimers
    from tlbench.system import measure

    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(measure.time, "perf_counter", lambda: clock.now)
    timers = FitTimers(Activations())
    with timers.timing(timers.fit):
        clock.now += 1
        with timers.timing(timers.setup):
            clock.now += 10
            with timers.timing(timers.validate):
                clock.now += 100
        clock.now += 1000
    assert (timers.fit.seconds, timers.setup.seconds, timers.validate.seconds) == (1001, 10, 100)
