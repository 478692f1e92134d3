"""The option `layers` of the linear probe: heads on all stages, mixed or chosen among."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pytest
import torch
from tlbench_finetune.probes.layers import reading_every_stage
from tlbench_finetune.probes.linear_probe import LinearProbe
from tlbench_finetune.probes.pair_features import widths_of
from tlbench_finetune.probes.random_probe import RandomProbe
from tlbench_finetune.probes.samples import sample_of

from tlbench import Example, Examples, Job, PluginError, Protocol, Scalar, Task
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import PluginEntry, discover
from tlbench.modeling.stages.every_stage import EveryStage
from tlbench.planning.plan import plan
from tlbench.planning.suite import Suite, SuiteBlock
from tlbench.testing.agreement import assert_same_in_fp64
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import Rehearsal, make_job
from tlbench.testing.toy_encoder import ToyEncoder
from tlbench.testing.toy_kinds import ToyLabelsTask, ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask

PROTOCOL = Protocol(precision="fp32")
Layers: TypeAlias = Literal["last", "mix", "best"]
OF_ALL: tuple[Layers, ...] = ("mix", "best")
EACH: tuple[Layers, ...] = ("last", *OF_ALL)
TASKS: list[Task] = [ToyScalarTask(), ToyLabelsTask(), ToyWordsTask()]


class Scrambled(torch.nn.LayerNorm):
    """A final norm that destroys what the hidden states say."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (300 * x).sin()


@dataclass(frozen=True)
class OnlyBelow(ToyBackbone):
    """The toy backbone with a last stage whose output is noise."""

    name = "toy-only-below"

    def load(self, *, pretrained: bool = True) -> ToyEncoder:
        module = super().load(pretrained=pretrained).native
        module.norm = Scrambled(self.width)
        return ToyEncoder(module, self.readout).eval()


@dataclass(frozen=True)
class ToyPairs(ToyTask):
    """Two sentences, of which the first is to be judged."""

    name = "toy-pairs"
    pairs = True

    def split(self, name: Any) -> Examples | None:
        found = super().split(name)
        if found is None:
            return None
        return Examples(Example(one.id, (one.inputs[0], "the sea is wide"), one.target) for one in found)


class TestMixedProbe(StrategyConformance):
    strategy = LinearProbe(layers="mix")
    tasks = (ToyTask(), ToyScalarTask(), ToyWordsTask(train=16, validation=16))
    fused_tolerance = 0.001


class TestBestProbe(StrategyConformance):
    strategy = LinearProbe(layers="best")
    tasks = (ToyTask(), ToyLabelsTask(), ToyWordsTask(train=16, validation=16))
    fused_tolerance = 0.001


def _job(task: Task | None = None, backbone: ToyBackbone | None = None, **params: float) -> Job:
    return make_job(LinearProbe(), backbone or ToyBackbone(), task or ToyTask(), params or {"l2": 1e-2}, PROTOCOL)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_what_only_lower_stages_say_is_found_by_all_but_the_last(task: Task) -> None:
    scores = {}
    for layers in EACH:
        fitted = Rehearsal(LinearProbe(layers=layers), OnlyBelow(), task, PROTOCOL).fit({"l2": 1e-3}).result
        scores[layers], notes = fitted.validation or 0, fitted.notes
        if layers == "best":
            assert notes["stage"] < 3
            assert notes[f"stage_{notes['stage']:.0f}"] == scores["best"] == max(notes[f"stage_{n}"] for n in range(4))
        if layers == "mix":
            assert sum(notes[f"weight_{n}"] for n in range(4)) == pytest.approx(1, abs=1e-6)
            assert notes["weight_3"] < 0.1
    assert min(scores["mix"], scores["best"]) > scores["last"] + 0.25, scores


def test_every_stage_is_read_as_the_last_one_is() -> None:
    job = _job()
    job.encoder.double()
    (every,) = reading_every_stage([job])
    assert every.encoder.width == 4 * 16
    features = sample_of(every).features
    with torch.no_grad():
        for row in (0, 9):
            batch = job.train.batch([row])
            wanted = torch.cat([job.encoder.pool(job.encoder(batch, stop=stop))[0] for stop in (1, 2, 3, 4)])
            assert_same_in_fp64(features[row], wanted)


def test_stages_of_pairs_are_compared_each_by_itself() -> None:
    job = _job(ToyPairs())
    job.encoder.double()
    (every,) = reading_every_stage([job])
    assert widths_of(every, "separate") == [65] * 4
    features = sample_of(every, pairs="separate").features
    assert_same_in_fp64(features[:, -65:], sample_of(job, pairs="separate").features)


@pytest.mark.parametrize("layers", OF_ALL)
def test_pairs_are_predicted_as_before_after_saving_and_loading(layers: Any, tmp_path: Path) -> None:
    strategy = LinearProbe(layers=layers, pairs="separate")
    job = make_job(strategy, ToyBackbone(), ToyPairs(), {"l2": 0.1}, PROTOCOL)
    predictor: Any = strategy.fit(job)
    predictor.save(tmp_path)
    again: Any = strategy.load(make_job(strategy, ToyBackbone(), ToyPairs(), {"l2": 0.1}, PROTOCOL), tmp_path)
    assert np.array_equal(predictor.predict(job.validation).scores, again.predict(job.validation).scores)


@pytest.mark.parametrize("layers", OF_ALL)
def test_all_settings_and_seeds_encode_each_example_once(layers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    forward = ToyEncoder.forward

    def counting(self: ToyEncoder, batch: Any, start: int = 0, stop: int | None = None) -> Any:
        if start == 0:
            rows.append(len(batch["ids"]))
        return forward(self, batch, start, stop)

    monkeypatch.setattr(ToyEncoder, "forward", counting)
    protocol = Protocol(precision="fp32", train_limit=48, seeds=(0, 1))
    rehearsal = Rehearsal(LinearProbe(layers=layers), ToyBackbone(), ToyTask(), protocol)
    settings, seeds = [{"l2": l2} for l2 in (1e-3, 1.0)] * 2, [0, 0, 1, 1]
    rehearsal.fit_batch(settings, seeds)
    # At most the union of the seeds' training subsets, the validation split, and one row that tells the widths.
    assert 48 + 32 + 1 <= sum(rows) <= 64 + 32 + 1
    before = sum(rows)
    rehearsal.fit_batch(settings, seeds)
    assert sum(rows) == before + 1


@pytest.mark.parametrize("task", [ToyTask(), ToyScalarTask()], ids=lambda task: task.name)
def test_a_backbone_of_one_stage_gives_the_results_of_the_last(task: Task) -> None:
    found: list[Any] = []
    for layers in EACH:
        job = _job(task, ToyBackbone(blocks=0))
        found.append(LinearProbe(layers=layers).fit(job).predict(job.validation))
    for other in found[1:]:
        assert np.array_equal(found[0].values, other.values)
        assert found[0].scores is None or np.array_equal(found[0].scores, other.scores)


def test_a_mixture_is_one_linear_map_and_counts_what_was_trained() -> None:
    job = _job(ToyScalarTask(), OnlyBelow())
    (every,) = reading_every_stage([job])
    predictor: Any = LinearProbe(layers="mix").fit(job)
    assert predictor.trainable_parameters == 16 + 1 + 4
    sample = sample_of(every)
    by_stage = predictor.head.weight.view(4, 16) * sample.features.view(-1, 4, 16).std(0, unbiased=False)
    shares = torch.tensor([job.notes[f"weight_{stage}"] for stage in range(4)])
    # On standardised features the maps of the stages are one map, times the weights.
    torch.testing.assert_close(by_stage / shares[:, None], (by_stage / shares[:, None])[:1].expand(4, -1))
    assert isinstance(job.task.output, Scalar)


def test_a_final_fit_without_validation_takes_the_stage_that_did_best_in_the_search() -> None:
    job = _job()
    searched = {"stage": 1.5, "stage_0": 0.4, "stage_1": 0.9, "stage_2": 0.6, "stage_3": 0.5}
    final = dataclasses.replace(job, held_out=None, searched=searched, notes={})
    predictor: Any = LinearProbe(layers="best").fit(final)
    assert final.notes["stage"] == 1
    assert (predictor.head.weight != 0).any(0).nonzero()[:, 0].tolist() == list(range(16, 32))


def test_stages_of_other_widths_are_chosen_among_but_not_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ToyEncoder.pool
    # The pooled output of the embeddings, which have no final norm, has half of the width.
    narrow = {"width": 8}

    def of_lower_stages(self: ToyEncoder, hidden: Any) -> torch.Tensor:
        found = pool(self, hidden)
        return found[:, : narrow["width"]] if float(found.mean(1).abs().max()) > 1e-5 else found

    monkeypatch.setattr(ToyEncoder, "pool", of_lower_stages)
    job = _job()
    (every,) = reading_every_stage([job])
    assert isinstance(every.encoder, EveryStage)
    assert every.encoder.widths == (8, 8, 8, 16)
    LinearProbe(layers="best").fit(job)
    assert {f"stage_{stage}" for stage in range(4)} < job.notes.keys()
    with pytest.raises(PluginError, match="8 to 16 features: use layers=best"):
        LinearProbe(layers="mix").fit(job)


def test_the_random_probe_mixes_random_stages() -> None:
    fitted = Rehearsal(RandomProbe(layers="mix"), ToyBackbone(), ToyTask(), PROTOCOL).fit_batch([None, None], [0, 1])
    assert [one.result.status for one in fitted] == ["ok", "ok"]
    assert fitted[0].result.notes != fitted[1].result.notes


def test_the_default_keeps_its_ids() -> None:
    installed = discover()
    items = {"backbone": ToyBackbone(), "task": ToyTask(), "strategy": LinearProbe()}
    entries = tuple(PluginEntry(kind, item.name, item, "x", "0") for kind, item in items.items())  # type: ignore[attr-defined]
    catalog = Catalog(dataclasses.replace(installed, entries=entries))
    names = tuple(f"linear-probe{options}" for options in ("", "[layers=last]", "[layers=mix]", "[layers=best]"))
    cells = plan(Suite((SuiteBlock(("toy-tone",), names, ("toy",)),), "x"), catalog).cells
    assert sorted({cell.strategy.name for cell in cells}) == sorted({names[0], *names[2:]})
    assert {cell.strategy.version for cell in cells} == {1}
