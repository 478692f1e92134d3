"""Each check is shown one object that breaks it: a check that passes everything is none."""

from __future__ import annotations

import dataclasses
import json
import random
import re

import pytest
import torch

from tlbench.contracts.outputs import TokenClasses
from tlbench.contracts.task import Example, Examples
from tlbench.modeling.encoder import Hidden, Stage
from tlbench.testing.conformance import BackboneConformance, TaskConformance
from tlbench.testing.conformance.every_plugin import check_light, check_name, heavy_imports
from tlbench.testing.toy_encoder import ToyEncoder, ToyModule, featurize
from tlbench.testing.toys import ToyBackbone, ToyTask


class SecretState(ToyEncoder):
    """Its second part looks at what the first part saw."""

    def forward(self, batch, start=0, stop=None):
        hidden = super().forward(batch, start, stop)
        return Hidden(hidden.x + (0.01 if start else 0.0), hidden.mask)


class LeakingPadding(ToyEncoder):
    """Its readout averages over the padding."""

    def pool(self, hidden):
        return hidden.x.mean(1)


class ForgottenNorm(ToyEncoder):
    """Its final norm belongs to no stage."""

    @property
    def stages(self):
        return [Stage(s.name, tuple(n for n in s.parameters if not n.startswith("norm."))) for s in super().stages]


class CutGradient(ToyEncoder):
    """Its blocks never get a gradient to the embeddings."""

    def forward(self, batch, start=0, stop=None):
        if start == 0 and stop != 1:
            hidden = super().forward(batch, 0, 1)
            return super().forward(Hidden(hidden.x.detach(), hidden.mask), 1, stop)
        return super().forward(batch, start, stop)


class LeftOnTheHost(ToyEncoder):
    """Its positions are made on the CPU in each pass."""

    def forward(self, batch, start=0, stop=None):
        hidden = super().forward(batch, start, stop)
        return Hidden(hidden.x + 0.01 * torch.arange(hidden.x.shape[1])[:, None], hidden.mask)


class Sorted(ToyEncoder):
    """How much it puts out depends on what it reads."""

    def forward(self, batch, start=0, stop=None):
        hidden = super().forward(batch, start, stop)
        return Hidden(hidden.x[:, : len(hidden.mask.any(0).nonzero())], hidden.mask)


@dataclasses.dataclass(frozen=True)
class Backbone(ToyBackbone):
    kind: type = ToyEncoder
    training: bool = False
    drift: bool = False

    def load(self, *, pretrained=True):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(random.randrange(2**31) if self.drift else 0)
            return self.kind(ToyModule(self.width, self.blocks), self.readout).train(self.training)

    def featurize(self, examples, output):
        data = featurize(examples)
        return dataclasses.replace(data, fingerprint="always the same") if self.drift else data


def backbone_check(**fields):
    check = BackboneConformance()
    check.__class__ = type("Check", (BackboneConformance,), {"backbone": Backbone(**fields)})
    return check


def batch_of(check):
    data = check.backbone.featurize(check.examples(), None)
    return data.batch(range(len(data)))


def test_a_cut_that_changes_the_result_is_caught():
    check = backbone_check(kind=SecretState)
    with pytest.raises(AssertionError, match="cut at 1: off by"):
        check.test_every_cut(check.backbone.load(), batch_of(check))
    with pytest.raises(AssertionError, match="stage by stage"):
        check.test_a_cut_of_a_cut(check.backbone.load(), batch_of(check))


def test_padding_that_leaks_is_caught():
    check = backbone_check(kind=LeakingPadding)
    with pytest.raises(AssertionError, match="padding moves row"):
        check.test_padding_changes_nothing(check.backbone.load())


def test_a_parameter_in_no_stage_is_caught():
    check = backbone_check(kind=ForgottenNorm)
    with pytest.raises(AssertionError, match=r"in no stage: \['norm\.bias'"):
        check.test_every_parameter_is_in_one_stage(check.backbone.load())


def test_a_lost_gradient_is_caught():
    check = backbone_check(kind=CutGradient)
    with pytest.raises(AssertionError, match="stage embeddings"):
        check.test_gradients_reach_every_stage(batch_of(check))


def test_what_stays_on_the_host_is_caught():
    with pytest.raises(RuntimeError, match="device"):
        backbone_check(kind=LeftOnTheHost).test_training_step_stays_on_its_device()
    with pytest.raises(pytest.skip.Exception, match="shapes depend on numbers"):
        backbone_check(kind=Sorted).test_training_step_stays_on_its_device()


def test_an_encoder_in_training_mode_is_caught():
    check = backbone_check(training=True)
    with pytest.raises(AssertionError, match="in training mode"):
        check.test_fresh_encoder_state(check.backbone.load())


def test_weights_that_differ_from_load_to_load_are_caught():
    check = backbone_check(drift=True)
    with pytest.raises(AssertionError):
        check.test_same_weights_at_each_load(check.backbone.load())


def test_random_weights_that_are_not_random_are_caught():
    check = backbone_check()
    with pytest.raises(AssertionError, match="two seeds give the same weights"):
        check.test_random_weights(check.backbone.load())


def test_a_fingerprint_that_does_not_follow_the_examples_is_caught():
    with pytest.raises(AssertionError, match="same fingerprint"):
        backbone_check(drift=True).test_featurize()


@dataclasses.dataclass(frozen=True)
class Rows(ToyTask):
    """The toy task with other training examples."""

    rows: tuple[Example, ...] = ()

    def split(self, name):
        return Examples(self.rows) if name == "train" else super().split(name)


GOOD = tuple(ToyTask().split("train"))
TEST = tuple(ToyTask().split("test"))
WRONG_TRAIN = {
    "test_ids_are_unique": (*GOOD, dataclasses.replace(GOOD[0], inputs=("a new text",))),
    "test_inputs": (*GOOD, Example("pair", ("one", "two"), 0, {"kind": "plain"})),
    "test_targets_fit_the_output": (*GOOD, Example("x", ("a new text",), 2, {"kind": "plain"})),
    "test_targets_vary": tuple(row for row in GOOD if row.target == 1),
    "test_no_overlap": (*GOOD, dataclasses.replace(TEST[0], id="x")),
    "test_no_group_in_two_splits": (*GOOD, Example("x", ("a new text",), 0, {"kind": "plain"}, "of the test")),
    "test_slices": (*GOOD, Example("x", ("a new text",), 0, {})),
    "test_sizes": (),
}


@pytest.mark.parametrize("name", WRONG_TRAIN)
def test_a_wrong_training_split_is_caught_by_one_check_alone(name):
    check = type("Check", (TaskConformance,), {"task": Rows(rows=WRONG_TRAIN[name])})()
    splits = {split: check.task.split(split) for split in ("train", "validation", "test")}
    grouped = dataclasses.replace(TEST[1], group="of the test")
    splits["test"] = Examples([TEST[0], grouped, *TEST[2:]])
    with pytest.raises(AssertionError):
        getattr(check, name)(splits)
    if name != "test_sizes":
        for other in set(WRONG_TRAIN) - {name}:
            getattr(check, other)(splits)


@pytest.mark.parametrize("inputs", [("a", "kind", "word"), ("word",), ("a kind word",)])
def test_words_given_flat_are_caught_with_the_form_that_is_expected(inputs):
    output = TokenClasses(("O", "B-x"))
    task = type("Flat", (ToyTask,), {"output": output})()
    example = Example("flat-1", inputs, (0,) * len(inputs))
    check = type("Check", (TaskConformance,), {"task": task})()
    form = re.escape("one tuple of words, as inputs=(('a', 'word'),)")
    with pytest.raises(AssertionError, match=f"flat-1 has the inputs .* expected {form}"):
        check.test_inputs({"train": Examples([example])})
    with pytest.raises(
        AssertionError, match=re.escape(f"train flat-1: the inputs {inputs!r} are texts; words are one tuple")
    ):
        check.test_targets_fit_the_output({"train": Examples([example])})


def test_a_text_that_stands_twice_is_caught():
    twice = (*GOOD, dataclasses.replace(GOOD[0], id="x"))
    check = type("Check", (TaskConformance,), {"task": Rows(rows=twice)})()
    with pytest.raises(AssertionError, match="train has 1 inputs twice"):
        check.test_no_overlap({"train": check.task.split("train")})


def test_a_split_that_changes_is_caught():
    class Changing(ToyTask):
        def split(self, name):
            return ToyTask(draw=random.randrange(10**9)).split(name)

    check = type("Check", (TaskConformance,), {"task": Changing()})()
    with pytest.raises(AssertionError, match="from one call to the next"):
        check.test_splits_are_deterministic({name: ToyTask().split(name) for name in ("train", "validation", "test")})


def test_a_metric_that_does_not_fit_is_caught():
    class Mismatched(ToyTask):
        metrics = ("pearson",)

    with pytest.raises(AssertionError, match="pearson does not score"):
        type("Check", (TaskConformance,), {"task": Mismatched()})().test_metrics_fit_the_output()


def test_a_heavy_module_is_caught():
    # A small library stands for a large one, which would take seconds to load.
    with pytest.raises(AssertionError, match="loads json: import"):
        check_light(json.JSONDecoder(), ("json", "torch"))


def test_a_module_that_cannot_be_imported_alone_is_caught(tmp_path, monkeypatch):
    (tmp_path / "needs_more.py").write_text("import a_module_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RuntimeError, match="a_module_that_is_not_there"):
        heavy_imports("needs_more")
    assert heavy_imports("no_such_module_anywhere") is None


@pytest.mark.parametrize("name", ["", "two words", "a[b]", "a,b", "-dash", "x\u202ey"])
def test_a_name_that_no_suite_can_write_is_caught(name):
    with pytest.raises(AssertionError):
        check_name(name)
