"""Probes of two texts: joined in one row or read separately, by default as the backbone's card says."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from tlbench_finetune.probes.linear_probe import DEFAULT_L2, DEFAULT_SEPARATE_L2, L2, LinearProbe
from tlbench_finetune.probes.mlp_probe import MlpProbe
from tlbench_finetune.probes.random_probe import RandomProbe
from tlbench_finetune.probes.samples import sample_of

from tlbench import (
    Card,
    Classes,
    Example,
    Examples,
    Float,
    Job,
    MultiLabel,
    Output,
    PluginError,
    Protocol,
    Scalar,
    SplitName,
    Strategy,
    Task,
    UsageError,
)
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import PluginEntry, discover
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.data import Data
from tlbench.modeling.predictor_files import SETTINGS
from tlbench.planning.plan import plan
from tlbench.planning.space_context import space_about
from tlbench.planning.suite import Suite, SuiteBlock
from tlbench.testing.agreement import assert_same_in_fp64
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import Rehearsal, make_job
from tlbench.testing.toys import ToyBackbone, ToyTask

PROTOCOL = Protocol(max_steps=6, precision="fp32")
TWO, NUMBER, LABELS = Classes(("other", "same")), Scalar(), MultiLabel(("same", "even"))
WORDS = ("river", "stone", "garden", "window", "letter", "engine", "winter", "market")
METRIC: dict[type[Output], str] = {Classes: "accuracy", Scalar: "pearson", MultiLabel: "f1_macro"}


@dataclass(frozen=True)
class SentenceEncoder(ToyBackbone):
    """The toy backbone, with a card that says that it embeds each text alone."""

    name = "toy-sentences"

    def card(self) -> Card:
        return dataclasses.replace(super().card(), pairs="separate")


@dataclass(frozen=True)
class Repeated(Task):
    """Pairs of texts of four words: "same" if the second has the words of the first in another order."""

    name: ClassVar[str] = "repeated"
    modality: ClassVar[str] = "text"
    pairs: ClassVar[bool] = True
    output: Output = TWO

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        return (METRIC[type(self.output)],)

    def split(self, name: SplitName) -> Examples | None:
        counts = {"train": 64, "validation": 32, "test": 32}
        if name not in counts:
            return None
        rng = np.random.default_rng(sorted(counts).index(name))
        return Examples(self._one(rng, f"{name}-{i}", i % 2) for i in range(counts[name]))

    def _one(self, rng: np.random.Generator, name: str, same: int) -> Example:
        first = rng.permutation(WORDS)
        second = rng.permutation(first[:4]) if same else first[4:]
        targets: dict[type[Output], Any] = {Classes: same, Scalar: float(same), MultiLabel: (same, 1 - same)}
        return Example(name, (" ".join(first[:4]), " ".join(second)), targets[type(self.output)])


TASKS: list[Task] = [Repeated(), Repeated(NUMBER), Repeated(LABELS)]


class TestSeparateLinearProbe(StrategyConformance):
    strategy = LinearProbe(pairs="separate")
    tasks = (Repeated(), Repeated(NUMBER))
    fused_tolerance = 0.001


class TestMlpProbeOfASentenceEncoder(StrategyConformance):
    strategy = MlpProbe(hidden=8)
    backbone = SentenceEncoder()
    tasks = (Repeated(), Repeated(NUMBER))


def _kind(task: Task) -> str:
    return type(task.output).__name__


def _job(strategy: Strategy, task: Task | None = None, backbone: ToyBackbone | None = None, **params: float) -> Job:
    return make_job(strategy, backbone or ToyBackbone(), task or Repeated(), params or None, PROTOCOL)


def test_features_are_both_embeddings_their_distance_their_product_and_their_cosine() -> None:
    job = _job(LinearProbe())
    job.encoder.double()
    found = sample_of(job, pairs="separate").features
    assert found.shape == (64, 4 * job.encoder.width + 1)
    for row in (0, 13, 63):
        texts = Examples(Example(text, (text,)) for text in job.train.examples[row].inputs)
        u, v = torch.nn.functional.normalize(job.activations.features(job.encoder, job.featurize(texts)), dim=1)
        wanted = torch.cat([u, v, (u - v).abs(), u * v, (u @ v)[None]])
        assert_same_in_fp64(found[row], wanted)


@pytest.mark.parametrize("strategy", [LinearProbe(), MlpProbe(hidden=8), RandomProbe()], ids=lambda one: one.name)
def test_the_card_chooses_and_the_option_overrides_it(strategy: Any) -> None:
    def width(backbone: ToyBackbone, one: Any) -> int:
        job = _job(one, None, backbone)
        head = one.fit(job).head
        weight: torch.Tensor = (head.maps[0] if hasattr(head, "maps") else head).weight
        return weight.shape[1]

    joined, separate = (dataclasses.replace(strategy, pairs=pairs) for pairs in ("joined", "separate"))
    one, both = 16, 4 * 16 + 1
    assert [width(ToyBackbone(), each) for each in (strategy, joined, separate)] == [one, one, both]
    assert [width(SentenceEncoder(), each) for each in (strategy, joined, separate)] == [both, one, both]


def test_single_texts_are_read_as_before() -> None:
    jobs = [_job(LinearProbe(), ToyTask(), backbone, l2=0.1) for backbone in (ToyBackbone(), SentenceEncoder())]
    first, second = (LinearProbe().fit(job).predict(job.validation).scores for job in jobs)
    assert first is not None
    assert np.array_equal(first, second)


@pytest.mark.parametrize("task", TASKS, ids=_kind)
def test_what_only_a_comparison_tells_is_learned_from_separate_embeddings(task: Task) -> None:
    def score(pairs: Any) -> float:
        strategy = LinearProbe(pairs=pairs)
        found = Rehearsal(strategy, ToyBackbone(), task, PROTOCOL).fit({"l2": 0.1}).result.validation
        assert found is not None
        return found

    assert score("separate") > max(0.9, score("joined") + 0.1)


class _Counted(Activations):
    """Activations that count the rows that are encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0

    def features(self, encoder: Any, data: Data, precision: str = "fp32") -> torch.Tensor:
        before = len(self._entries)
        found = super().features(encoder, data, precision)
        self.encoded += (len(self._entries) - before) * len(data.shared.whole if data.shared else data)
        return found


def test_each_distinct_text_is_encoded_once_for_all_trials_and_seeds() -> None:
    strategy, activations = LinearProbe(pairs="separate"), _Counted()
    job = dataclasses.replace(_job(strategy), activations=activations)
    repeated = job.featurize(Examples([*job.train.examples, Example("again", job.train.examples[0].inputs[::-1], 0)]))
    subsets = [repeated.share(range(seed, 60 + seed)) for seed in range(3)]
    jobs = [
        dataclasses.replace(job, train=train, seed=seed, params={"l2": l2})
        for seed, train in enumerate(subsets)
        for l2 in (0.1, 1.0)
    ]
    strategy.fit_batch(jobs)
    assert activations.encoded == len({text for example in repeated.examples for text in example.inputs})
    subset, alone = (sample_of(dataclasses.replace(job, train=train), pairs="separate").features
                     for train in (subsets[2], job.featurize(subsets[2].examples)))  # fmt: skip
    torch.testing.assert_close(subset, alone)


@pytest.mark.parametrize(
    ("saved", "loading"),
    [("joined", "separate"), ("separate", "joined")],
)
def test_a_head_is_loaded_only_for_pairs_that_are_read_as_it_reads_them(
    saved: Any, loading: Any, tmp_path: Path
) -> None:
    job = _job(LinearProbe(), l2=0.1)
    LinearProbe(pairs=saved).fit(job).save(tmp_path)
    with pytest.raises(UsageError, match=str(tmp_path)):
        LinearProbe(pairs=loading).load(job, tmp_path)
    assert ("pairs" in (tmp_path / SETTINGS).read_text()) == (saved == "separate"), "joined heads are as they were"


def test_what_is_no_pair_is_refused() -> None:
    strategy = LinearProbe(pairs="separate")
    assert strategy.supports(ToyBackbone(), Repeated()) is None
    assert "toy-tone are no pairs" in str(strategy.supports(ToyBackbone(), ToyTask()))
    assert LinearProbe().supports(SentenceEncoder(), ToyTask()) is None
    job = _job(strategy)
    single = dataclasses.replace(job, train=job.featurize(Examples([Example("x", ("one text",), 0)])))
    with pytest.raises(PluginError, match="'x' of repeated has 1"):
        strategy.fit(single)


def test_separate_pairs_are_regularised_more_in_a_space_that_holds_that_of_joined_ones() -> None:
    def about(backbone: ToyBackbone, task: Task) -> Any:
        return space_about(task, PROTOCOL, backbone)

    joined, separate = about(ToyBackbone(), Repeated()), about(SentenceEncoder(), Repeated())
    assert LinearProbe().space(joined) == LinearProbe().space(about(SentenceEncoder(), ToyTask())) == {"l2": L2}
    assert LinearProbe().space(separate)["l2"].high > L2.high  # type: ignore[union-attr]
    assert [LinearProbe().defaults(each)["l2"] for each in (joined, separate)] == [DEFAULT_L2, DEFAULT_SEPARATE_L2]
    assert LinearProbe(pairs="joined").space(separate) == LinearProbe().space(joined)
    few, many = MlpProbe().defaults(joined)["weight_decay"], MlpProbe().defaults(separate)["weight_decay"]
    assert 10 * float(few) <= float(many)
    for probe in (LinearProbe(), MlpProbe()):
        assert probe.space(about(SentenceEncoder(), ToyTask())) == probe.space(joined)
        for name, one in probe.space(joined).items():
            other = probe.space(separate)[name]
            assert isinstance(one, Float)
            assert isinstance(other, Float)
            assert other.low <= one.low < one.high <= other.high
            assert other.low <= float(probe.defaults(separate)[name]) <= other.high


def test_ids_change_only_where_the_default_reads_pairs_separately() -> None:
    items = {
        "backbone": [ToyBackbone(), SentenceEncoder()],
        "task": [ToyTask(), Repeated()],
        "strategy": [LinearProbe(), RandomProbe(), MlpProbe()],
    }
    installed = discover()
    entries = tuple(PluginEntry(kind, item.name, item, "x", "0") for kind, each in items.items() for item in each)  # type: ignore[attr-defined]
    catalog = Catalog(dataclasses.replace(installed, entries=entries))
    names = ("linear-probe", "random-probe", "mlp-probe", "linear-probe[pairs=joined]", "linear-probe[pairs=separate]")
    block = SuiteBlock(("toy-tone", "repeated"), names, ("toy", "toy-sentences"))
    cells = plan(Suite((block,), "x"), catalog).cells
    versions = {(c.backbone.name, c.task.name, c.strategy.name): c.strategy.version for c in cells if c.backbone}
    raised = {key for key, version in versions.items() if version == 2}
    assert raised == {("toy-sentences", "repeated", f"{kind}-probe") for kind in ("linear", "random", "mlp")}
    assert {*versions.values()} == {1, 2}
    assert len({cell.id for cell in cells}) == len(versions) == 16
