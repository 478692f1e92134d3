"""Search ranges and first values of the learning rate, by backbone and output."""

from __future__ import annotations

from typing import Any

import pytest
from tlbench_finetune.plugin import tlbench_strategies
from tlbench_finetune.rates import rates

from tlbench import Backbone, Card, Classes, Output, Protocol, SpaceContext, Span, Strategy, TaskInfo, Text
from tlbench.testing.toys import ToyBackbone


def _backbone(modality: Any, family: str, width: int) -> Backbone:
    class Described(ToyBackbone):
        def card(self) -> Card:
            return Card(family=family, width=width)

    Described.modality = modality
    return Described()


def _about(backbone: Backbone | None = None, output: Output | None = None) -> SpaceContext:
    return SpaceContext(TaskInfo("toy", output or Classes(("a", "b")), ("accuracy",)), Protocol(), backbone)


BACKBONES = [
    None,
    _backbone("text", "bert", 384),
    _backbone("text", "bert", 768),
    _backbone("text", "static", 50),
    _backbone("image", "resnet", 64),
    _backbone("image", "resnet", 2048),
    _backbone("image", "vision_transformer", 192),
    _backbone("image", "vit", 768),
]


@pytest.mark.parametrize("strategy", tlbench_strategies(), ids=lambda strategy: strategy.name)
def test_the_first_trial_has_a_whole_setting_within_the_space(strategy: Strategy) -> None:
    for backbone in BACKBONES:
        for output in (Classes(("a", "b")), Span(), Text()):
            about = _about(backbone, output)
            space, defaults = strategy.space(about), strategy.defaults(about)
            assert set(defaults) == set(space)
            assert all(space[name].low <= value <= space[name].high for name, value in defaults.items())  # type: ignore


def test_small_models_start_at_a_higher_rate() -> None:
    for kind, family in (("text", "bert"), ("image", "resnet"), ("image", "vit")):
        small, large = (rates(_about(_backbone(kind, family, width))).default for width in (256, 1024))
        assert small > large, family
    assert rates(_about(None)).default == rates(_about(_backbone("text", "bert", 768))).default


def test_convolutions_and_decoders_want_higher_rates() -> None:
    text, attention = rates(_about(BACKBONES[1])), rates(_about(BACKBONES[6]))
    convolutions, decoder = rates(_about(BACKBONES[4])), rates(_about(BACKBONES[1], Text()))
    assert convolutions.default > attention.default > text.default < decoder.default
    assert convolutions.whole.high > attention.whole.high > text.whole.high < decoder.whole.high


def test_the_top_alone_may_learn_faster() -> None:
    for backbone in BACKBONES:
        for output in (Classes(("a", "b")), Text()):
            found = rates(_about(backbone, output))
            assert found.top.low > found.whole.low
            assert found.top.high > found.whole.high


def test_word_vectors_want_far_higher_rates_than_encoders() -> None:
    words, encoder = rates(_about(BACKBONES[3])), rates(_about(BACKBONES[1]))
    assert words.whole.low > encoder.whole.high
