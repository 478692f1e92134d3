"""A probe on frozen features, trained by Newton's method in a loop of its own, without `tlbench.training`."""

from dataclasses import dataclass

from tlbench import Choice, Classes, Diverged, Float, Strategy


@dataclass(frozen=True)
class NewtonProbe(Strategy):
    """Fits a regularised logistic regression on the readout, one class against the rest."""

    name = "newton-probe"
    family = "frozen features"

    def space(self, about):
        return {"penalty": Float(1e-3, 1.0, log=True), "steps": Choice((3, 6))}

    def supports(self, backbone, task):
        return None if isinstance(task.output, Classes) else "it predicts one of several classes"

    def trainable(self, backbone):
        from tlbench import Trainable

        return Trainable(0)

    def fit(self, job):
        import torch

        from newton_probe.probe import Probe, features

        x = features(job.encoder, job.train, job.device)
        y = torch.nn.functional.one_hot(torch.as_tensor(job.train.targets), len(job.task.output.names)).double()
        weights = torch.zeros(x.shape[1], y.shape[1], dtype=torch.float64)
        penalty = float(job.params["penalty"]) * torch.eye(x.shape[1], dtype=torch.float64)
        probe = Probe(job.encoder, job.device, weights)
        total = int(job.params["steps"])
        for step in range(1, total + 1):
            job.train.meter.rows += len(x)
            for k in range(y.shape[1]):
                p = torch.sigmoid(x @ weights[:, k])
                gradient = x.T @ (p - y[:, k]) / len(x) + penalty @ weights[:, k]
                curvature = (x.T * (p * (1 - p))) @ x / len(x) + penalty
                weights[:, k] -= torch.linalg.solve(curvature, gradient)
            if not weights.isfinite().all():
                raise Diverged(f"a weight is not finite at step {step}")
            if job.held_out is not None:
                job.report(step, job.score(probe), total=total)
        return probe

    def load(self, job, folder):
        from newton_probe.probe import Probe

        return Probe.load(job.encoder, job.device, folder)
