"""The other methods of peft, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tlbench_peft.any_method import OWN, REFUSED, SCHEME, AnyMethod, methods
from tlbench_peft.plugin import tlbench_resolve, tlbench_schemes, tlbench_suggest

from tlbench import Backbone, PluginError, Protocol, UsageError
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyTask

PROTOCOL = Protocol(max_steps=3, precision="fp32")
SETTINGS = {
    "c3a": "block_size:8",
    "fourierft": "n_frequency:20",
    "miss": "r:8",
    "psoft": "r:4",
    "road": "group_size:8",
    "shira": "r:4",
    "vblora": "vector_length:8",
    "waveft": "n_frequency:20",
}
"""What the defaults of a method are too large for in layers of 16 numbers."""
OTHERS = [method for method in methods() if method not in OWN and method not in REFUSED]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", OTHERS)
def test_every_other_method_fits_and_answers_as_before_after_it_was_saved(
    method: str, tiny: dict[str, Backbone], tmp_path: Path
) -> None:
    strategy = AnyMethod(name=f"{SCHEME}{method}", settings=SETTINGS.get(method, ""))
    job = make_job(strategy, tiny["bert"], ToyTask(), {"lr": 1e-2}, PROTOCOL)
    predictor: Any = strategy.fit(job)
    trained = [name for name, weight in predictor.model.encoder.named_parameters() if weight.requires_grad]
    assert trained
    expected = predictor.predict(job.validation).scores
    predictor.save(tmp_path)
    again = make_job(strategy, tiny["bert"], ToyTask(), {"lr": 1e-2}, PROTOCOL, seed=1)
    assert np.array_equal(strategy.load(again, tmp_path).predict(job.validation).scores, expected)


def test_names_are_resolved_suggested_and_listed() -> None:
    assert tlbench_schemes() == {"peft:<method>": "strategy"}
    strategy = tlbench_resolve("strategy", "peft:loha")
    assert isinstance(strategy, AnyMethod)
    assert strategy.name == "peft:loha"
    assert tlbench_resolve("backbone", "peft:loha") is None
    assert tlbench_resolve("strategy", "hf:loha") is None
    assert tlbench_suggest("strategy", "loha") == ["peft:loha"]
    assert tlbench_suggest("strategy", "prompt_tuning") == ["prompt-tuning"]
    assert tlbench_suggest("strategy", "nothing") == tlbench_suggest("strategy", "poly") == []


@pytest.mark.parametrize(("name", "reason"), [
    ("peft:lora", "has a strategy of its own: write lora"),
    ("peft:poly", "needs the number of the task"),
    ("peft:nothing", "the installed peft has no method 'nothing'; available are"),
])  # fmt: skip
def test_what_cannot_be_had_is_refused_by_one_line(name: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as raised:
        tlbench_resolve("strategy", name)
    assert "\n" not in str(raised.value)


def test_settings_are_those_of_peft(tiny: dict[str, Backbone]) -> None:
    strategy = AnyMethod(name="peft:loha", settings="r:2+alpha:4")
    model = strategy.model(make_job(strategy, tiny["bert"], ToyTask(), {"lr": 1e-2}, PROTOCOL))
    assert model.adapter.peft_config["default"].r == 2
    with pytest.raises(UsageError, match="give name:value, joined by"):
        AnyMethod(name="peft:loha", settings="r")
    wrong = AnyMethod(name="peft:loha", settings="rang:2")
    with pytest.raises(PluginError, match="rang"):
        wrong.model(make_job(wrong, tiny["bert"], ToyTask(), {"lr": 1e-2}, PROTOCOL))
