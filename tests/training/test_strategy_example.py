"""The example in the docstring of `Strategy` is a working strategy."""

from __future__ import annotations

import textwrap
from typing import Any

from tlbench import Protocol, Strategy
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyBackbone, ToyTask


def test_the_example_in_the_docstring_fits_and_predicts() -> None:
    namespace: dict[str, Any] = {"__name__": __name__}
    code = textwrap.dedent((Strategy.__doc__ or "").partition("Example:\n")[2])
    # Without this file's `from __future__ import annotations`, which the example does not have.
    exec(compile(code, "docstring", "exec", dont_inherit=True), namespace)
    protocol = Protocol(max_steps=2, precision="fp32")
    job = make_job(namespace["LayerwiseDecay"](), ToyBackbone(), ToyTask(), {"lr": 1e-3, "decay": 0.9}, protocol)
    predictor = namespace["LayerwiseDecay"]().fit(job)
    assert job.notes["steps"] == 2
    assert predictor.predict(job.validation).ids == job.validation.ids
