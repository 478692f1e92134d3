"""Lets a predictor compute in fp32, as its export will, whatever its cell was measured in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.predictor import Predictor


def in_fp32(predictor: Predictor, job: Job) -> None:
    """Sets a predictor's precision to fp32, and converts weights that are in bf16.

    A predictor has its precision as `precision`, or as that of its `job`; one with neither depends on none.
    """
    if job.precision == "fp32":
        return
    if job.precision == "bf16-weights":
        job.encoder.float()
    changed: Any = predictor
    if hasattr(changed, "precision"):
        changed.precision = "fp32"
    if isinstance(getattr(changed, "job", None), Job):
        # object.__setattr__, since a predictor may be a frozen dataclass.
        object.__setattr__(changed, "job", replace(changed.job, precision="fp32"))
