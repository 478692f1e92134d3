"""A backbone says which outputs it cannot answer with, and a plan skips those cells with the reason."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Plugin
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Classes, Text
from tlbench.contracts.task import Task
from tlbench.planning.plan import plan
from tlbench.planning.suite import read_suite
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyMajority


class Likeness(Metric):
    name = label = "likeness"
    outputs = (Text,)


class Writing(Task):
    name = "writing"
    modality = "text"
    output = Text(8)
    metrics = ("likeness",)


class Writer(ToyBackbone):
    """Brings a head of its own for every output."""

    name = "writer"

    def head(self, output, encoder):
        return super().head(output, encoder)


SUITE = """
[protocol]
max_steps = 1
[[cells]]
tasks = ["writing"]
backbones = ["toy", "writer"]
strategies = ["toy-fit"]
"""


@pytest.fixture
def planned(tmp_path):
    from tlbench import hookimpl

    hooks = {
        "tlbench_backbones": lambda: [ToyBackbone(), Writer()],
        "tlbench_tasks": lambda: [Writing()],
        "tlbench_metrics": lambda: [Likeness()],
        "tlbench_strategies": lambda: [ToyFit(), ToyMajority()],
    }
    module = SimpleNamespace(**{name: hookimpl(hook) for name, hook in hooks.items()})
    (tmp_path / "writing.toml").write_text(SUITE)
    return plan(read_suite(tmp_path / "writing.toml"), Catalog.discover([Plugin("toys", "1.0", "toys", module)]))


def test_a_backbone_without_a_decoder_is_skipped_for_texts(planned):
    assert [(skip.title, skip.reason) for skip in planned.skips] == [
        ("toy | writing | toy-fit", "toy has no decoder, which a task with texts as answers needs")
    ]
    assert [cell.title for cell in planned.cells] == ["writer | writing | toy-fit"]


def test_other_outputs_need_no_decoder():
    assert ToyBackbone().supports(Classes(("no", "yes"))) is None
